"""Names of AutoGen 0.2 that are retired: they import, and using one says what to use instead.

One table says which names and why; the modules in which 0.2 had them make each with `retired`.
`docs/retired.md` has the same table for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .errors import UsageError

__all__ = ["RETIRED", "Reason", "RetiredNameError", "retired"]


class Reason(NamedTuple):
    """Why a name is retired, and what serves in its place."""

    why: str
    instead: str


class RetiredNameError(UsageError, AttributeError):
    """A retired name was used; the message says what to use instead."""


_CONTRIB = "autogen.agentchat.contrib"
_BROWSER = Reason(
    "A text browser of its own ages with the web, and fetches whatever a model names.",
    "a function of yours that fetches the pages you allow, registered with "
    "autogen.register_function",
)
_CODE_BY_COMPLETION = Reason(
    "It asked a model through the interface of openai before 1.0.",
    "an autogen.AssistantAgent that writes the code, and an autogen.UserProxyAgent that runs it",
)
_COMPLETION = Reason("It is the interface of openai before 1.0.", "autogen.OpenAIWrapper")
_EVALUATION = Reason(
    "It was a study of how to rate programs with agents.",
    "an AssistantAgent whose system message has your criteria, asked with generate_reply",
)
_GRAPH = Reason(
    "It was tied to one graph database.",
    "a function that queries your graph, registered with autogen.register_function",
)
_IMAGES = Reason(
    "It was tied to one image model.",
    "a function that calls the image service of your choice, registered with "
    "autogen.register_function",
)
_LLAVA = Reason(
    "Vision models are served with the chat interface today.",
    f"{_CONTRIB}.multimodal_conversable_agent.MultimodalConversableAgent, with the base_url of "
    "your server in its llm_config",
)
_QDRANT = Reason(
    "One agent retrieves, whatever the store is.",
    f"{_CONTRIB}.retrieve_user_proxy_agent.RetrieveUserProxyAgent",
)

#: Module path and name to why, for each retired name.
RETIRED: Final[Mapping[str, Reason]] = {
    f"{_CONTRIB}.agent_builder.AgentBuilder": Reason(
        "Teams that a model makes up are hard to test and to repeat.",
        "a GroupChat of agents that you write down, with one system message each",
    ),
    f"{_CONTRIB}.agent_eval.agent_eval.generate_criteria": _EVALUATION,
    f"{_CONTRIB}.agent_eval.agent_eval.quantify_criteria": _EVALUATION,
    f"{_CONTRIB}.agent_eval.criterion.Criterion": _EVALUATION,
    f"{_CONTRIB}.agent_eval.critic_agent.CriticAgent": _EVALUATION,
    f"{_CONTRIB}.agent_eval.quantifier_agent.QuantifierAgent": _EVALUATION,
    f"{_CONTRIB}.agent_eval.subcritic_agent.SubCriticAgent": _EVALUATION,
    f"{_CONTRIB}.agent_eval.task.Task": _EVALUATION,
    f"{_CONTRIB}.agent_optimizer.AgentOptimizer": Reason(
        "It was a study of how agents may write their own functions.",
        "functions that you write, registered with autogen.register_function",
    ),
    f"{_CONTRIB}.capabilities.context_handling.TransformChatHistory": Reason(
        "0.2 replaced it already.",
        f"{_CONTRIB}.capabilities.transform_messages.TransformMessages, with a "
        "MessageHistoryLimiter or a MessageTokenLimiter",
    ),
    f"{_CONTRIB}.capabilities.generate_images.DalleImageGenerator": _IMAGES,
    f"{_CONTRIB}.capabilities.generate_images.ImageGeneration": _IMAGES,
    f"{_CONTRIB}.capabilities.generate_images.ImageGenerator": _IMAGES,
    f"{_CONTRIB}.capabilities.generate_images.extract_images": _IMAGES,
    f"{_CONTRIB}.compressible_agent.CompressibleAgent": Reason(
        "0.2 replaced it already.",
        f"an AssistantAgent with {_CONTRIB}.capabilities.transform_messages.TransformMessages, and "
        "a MessageTokenLimiter or a TextMessageCompressor",
    ),
    f"{_CONTRIB}.gpt_assistant_agent.GPTAssistantAgent": Reason(
        "The Assistants API it speaks is retired by its service.",
        "an AssistantAgent; functions with autogen.register_function, code with the "
        "code_execution_config of a UserProxyAgent, files with a RetrieveUserProxyAgent",
    ),
    f"{_CONTRIB}.graph_rag.document.Document": _GRAPH,
    f"{_CONTRIB}.graph_rag.document.DocumentType": _GRAPH,
    f"{_CONTRIB}.graph_rag.graph_query_engine.GraphQueryEngine": _GRAPH,
    f"{_CONTRIB}.graph_rag.graph_query_engine.GraphStoreQueryResult": _GRAPH,
    f"{_CONTRIB}.graph_rag.graph_rag_capability.GraphRagCapability": _GRAPH,
    f"{_CONTRIB}.llamaindex_conversable_agent.LLamaIndexConversableAgent": Reason(
        "It was tied to the interface of one package.",
        "a ConversableAgent with register_reply and a function that asks your index",
    ),
    f"{_CONTRIB}.llava_agent.LLaVAAgent": _LLAVA,
    f"{_CONTRIB}.llava_agent.llava_call": _LLAVA,
    f"{_CONTRIB}.math_user_proxy_agent.MathUserProxyAgent": Reason(
        "Its prompts were made for models that could not compute.",
        "a UserProxyAgent with code_execution_config, and an AssistantAgent that writes the code",
    ),
    f"{_CONTRIB}.qdrant_retrieve_user_proxy_agent.QdrantRetrieveUserProxyAgent": _QDRANT,
    f"{_CONTRIB}.qdrant_retrieve_user_proxy_agent.create_qdrant_from_dir": _QDRANT,
    f"{_CONTRIB}.qdrant_retrieve_user_proxy_agent.query_qdrant": _QDRANT,
    f"{_CONTRIB}.web_surfer.WebSurferAgent": _BROWSER,
    "autogen.browser_utils.AbstractMarkdownBrowser": _BROWSER,
    "autogen.browser_utils.AbstractMarkdownSearch": _BROWSER,
    "autogen.browser_utils.BingMarkdownSearch": _BROWSER,
    "autogen.browser_utils.PlaywrightMarkdownBrowser": _BROWSER,
    "autogen.browser_utils.RequestsMarkdownBrowser": _BROWSER,
    "autogen.browser_utils.SeleniumMarkdownBrowser": _BROWSER,
    "autogen.browser_utils.SimpleTextBrowser": _BROWSER,
    "autogen.code_utils.eval_function_completions": _CODE_BY_COMPLETION,
    "autogen.code_utils.generate_assertions": _CODE_BY_COMPLETION,
    "autogen.code_utils.generate_code": _CODE_BY_COMPLETION,
    "autogen.code_utils.implement": _CODE_BY_COMPLETION,
    "autogen.code_utils.improve_code": _CODE_BY_COMPLETION,
    "autogen.code_utils.improve_function": _CODE_BY_COMPLETION,
    "autogen.math_utils.solve_problem": _COMPLETION,
    "autogen.oai.completion.ChatCompletion": _COMPLETION,
    "autogen.oai.completion.Completion": _COMPLETION,
}


class _Retired(type):
    """The type of retired names: each is a class, so that programs may test for it or derive."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise _refused(cls)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            # Questions of the language itself: inspect, copy, doctest.
            raise AttributeError(name)
        raise _refused(cls)


def _refused(cls: type) -> RetiredNameError:
    name, reason = next(
        (f"{one.__module__}.{one.__name__}", RETIRED[f"{one.__module__}.{one.__name__}"])
        for one in cls.__mro__
        if f"{one.__module__}.{one.__name__}" in RETIRED
    )
    return RetiredNameError(f"{name} is retired. {reason.why} Use {reason.instead}.")


def retired(module: str, name: str) -> Any:
    """The retired `name` of `module`: a class that refuses to be called and to give attributes."""
    reason = RETIRED[f"{module}.{name}"]
    text = f"Retired. {reason.why} Use {reason.instead}."
    return _Retired(name, (), {"__module__": module, "__doc__": text})
