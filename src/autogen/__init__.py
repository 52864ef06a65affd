"""AutoGen's conversation API, carried on: agents that talk, run code, call tools and ask people.

    from autogen import AssistantAgent, UserProxyAgent

    assistant = AssistantAgent("assistant", llm_config={"config_list": [...]})
    user = UserProxyAgent("user", human_input_mode="NEVER")
    user.initiate_chat(assistant, message="Draw the share price of the year.")

Every name is imported when it is first used.
"""

from __future__ import annotations

from ._lazy import lazy_names
from ._version import __version__

__all__ = [
    "Agent",
    "Artifact",
    "AssistantAgent",
    "CancelToken",
    "ChatResult",
    "ConversableAgent",
    "Event",
    "LLMAgent",
    "RunOptions",
    "UserProxyAgent",
    "__version__",
    "options",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Agent": ".agentchat.agent",
        "Artifact": ".artifacts",
        "AssistantAgent": ".agentchat.assistant_agent",
        "CancelToken": "._kernel.cancel",
        "ChatResult": "._chat.state",
        "ConversableAgent": ".agentchat.conversable_agent",
        "Event": ".events",
        "LLMAgent": ".agentchat.agent",
        "RunOptions": "._chat.wiring",
        "UserProxyAgent": ".agentchat.user_proxy_agent",
        "options": "._chat.wiring",
    },
)
