"""Stand-ins for everything outside: a model, a model server, a person, a code executor.

    from autogen import AssistantAgent, UserProxyAgent
    from autogen.testing import ScriptedModel

    with ScriptedModel(["Hello! TERMINATE"]) as model:
        assistant = AssistantAgent("assistant", llm_config=model.config())
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        result = user.initiate_chat(assistant, message="Say hello.")

    assert result.chat_history[-1]["content"] == "Hello! TERMINATE"
    assert model.requests[0]["messages"][-1]["content"] == "Say hello."

They are strict: a call that the script does not know fails, and so does a reply that nobody asked
for. None of them needs a test framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .exchange import Reply, Request
    from .executor import FakeExecutor
    from .face import FACES, Face
    from .human import ScriptedHuman
    from .loopback import LoopbackLLM
    from .replay import replay
    from .replies import call, calls
    from .script import ScriptError, UnexpectedCall, UnusedReplies
    from .scripted import ScriptedModel

__all__ = [
    "FACES",
    "Face",
    "FakeExecutor",
    "LoopbackLLM",
    "Reply",
    "Request",
    "ScriptError",
    "ScriptedHuman",
    "ScriptedModel",
    "UnexpectedCall",
    "UnusedReplies",
    "call",
    "calls",
    "replay",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FACES": ".face",
        "Face": ".face",
        "FakeExecutor": ".executor",
        "LoopbackLLM": ".loopback",
        "Reply": ".exchange",
        "Request": ".exchange",
        "ScriptError": ".script",
        "ScriptedHuman": ".human",
        "ScriptedModel": ".scripted",
        "UnexpectedCall": ".script",
        "UnusedReplies": ".script",
        "call": ".replies",
        "calls": ".replies",
        "replay": ".replay",
    },
)
