"""`ScriptedModel`: a model in this process that says what the test wrote down, and nothing else.

It is a model client in the form of AutoGen 0.2, so it goes wherever a config list goes. Usage is
counted in words and costs nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from ..models.base import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    CompletionUsage,
    FunctionCall,
    ModelClient,
    ToolCall,
)
from .replies import message_of, n_words
from .script import Script, Strict, told

__all__ = ["ScriptedModel"]

_NAME = "scripted"
_MOST_CONVERSATIONS = 256


class ScriptedModel(Strict):
    """A model that gives scripted replies, in order and exactly as many.

        with ScriptedModel(["hello", call("add", a=1, b=2), "3"]) as model:
            agent = AssistantAgent("agent", llm_config=model.config())

    A call beyond the script raises `UnexpectedCall`; replies that are left raise `UnusedReplies` at
    the end of the `with` block, or in `assert_done()`. Threads may share a model.

    Args:
        replies: A list of replies, or a function that is called with the parameters of each request
            and gives one. A reply is text, a message dict, `call(...)`, `calls(...)`, None (an
            empty answer), or an exception to raise.
        keep: Requests that are kept, the newest ones; None for all, 0 for none. Long measurements
            keep none: a request has the whole conversation.

    Attributes:
        requests: The parameters of each request, oldest first, as they were at the time.
    """

    RESPONSE_USAGE_KEYS: ClassVar[list[str]] = ModelClient.RESPONSE_USAGE_KEYS

    def __init__(
        self,
        replies: Iterable[Any] | Callable[[dict[str, Any]], Any],
        *,
        keep: int | None = None,
    ):
        self._script = Script(replies, owner="ScriptedModel")
        self._keep = keep
        self._lock = threading.Lock()
        #: The last request of each conversation and its words, the newest last.
        self._counted: OrderedDict[int, tuple[list[Any], int]] = OrderedDict()
        self._last: list[Any] = []
        self._n_answers = 0
        self.requests: list[dict[str, Any]] = []

    def config(self, **more: Any) -> dict[str, Any]:
        """An `llm_config` whose one entry is this model.

        Args:
            more: Further keys of the `llm_config`.
        """
        return {"config_list": [{"model": _NAME, "model_client": self}], **more}

    # ---------------------------------------------------------------- the protocol of model clients

    def create(self, params: dict[str, Any]) -> ChatCompletion:
        """The next reply.

        Raises:
            UnexpectedCall: The script has no reply for this request.
            BaseException: The reply, where it is an exception.
        """
        messages = params.get("messages") or []
        if self._keep != 0:
            self._record(params, messages)
        reply = self._script.take(params, lambda: told(messages))
        message = message_of(reply)
        prompt, completion = self._words(messages), n_words([message])
        with self._lock:
            self._n_answers += 1
            n = self._n_answers
        return ChatCompletion(
            choices=[_choice(message)],
            model=params.get("model") or _NAME,
            usage=CompletionUsage(prompt, completion, prompt + completion),
            id=f"scripted-{n}",
        )

    def message_retrieval(self, response: Any) -> list[Any]:
        """One item per choice: its text, or the message where it calls something."""
        found: list[Any] = []
        for choice in response.choices:
            message = choice.message
            found.append(
                message if message.tool_calls or message.function_call else message.content
            )
        return found

    def cost(self, response: Any) -> float:
        """Nothing."""
        return 0.0

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        """Words, as the tokens of this model."""
        usage = response.usage
        return {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "cost": 0.0,
            "model": response.model,
        }

    # ------------------------------------------------------------------------------------- keeping

    def _record(self, params: dict[str, Any], messages: list[Any]) -> None:
        """Keep a copy. What a request repeats of the one before it is kept once."""
        with self._lock:
            n_same = 0
            for old, new in zip(self._last, messages, strict=False):
                if old != new:
                    break
                n_same += 1
            copies = self._last[:n_same] + [_copied(m) for m in messages[n_same:]]
            self._last = copies
            request = {k: _copied(v) for k, v in params.items() if k != "messages"}
            if "messages" in params:
                request["messages"] = list(copies)
            self.requests.append(request)
            if self._keep is not None:
                del self.requests[: -self._keep]

    def _words(self, messages: list[Any]) -> int:
        """Words in the texts of `messages`.

        Those of the request before in the same conversation are not counted again. Agents that
        share the model are told apart by their system messages.
        """
        if not messages:
            return 0
        # The list that is kept keeps the message alive, so that no other can have its identity.
        conversation = id(messages[0])
        with self._lock:
            before, total = self._counted.pop(conversation, ([], 0))
        n = len(before)
        if n and messages[:n] == before:
            total += n_words(messages[n:])
        else:
            total = n_words(messages)
        with self._lock:
            self._counted[conversation] = (messages, total)
            if len(self._counted) > _MOST_CONVERSATIONS:
                self._counted.popitem(last=False)
        return total

    def __repr__(self) -> str:
        return f"ScriptedModel({len(self._script.left)} left)"


def _copied(value: Any) -> Any:
    """Plain data, copied all the way down; anything else as it is."""
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(v) for v in value]
    return value


def _choice(message: Mapping[str, Any]) -> Choice:
    tool_calls = message.get("tool_calls")
    called = message.get("function_call")
    made = ChatCompletionMessage(
        content=message.get("content"),
        role=message.get("role") or "assistant",
        function_call=None if called is None else _function(called),
        tool_calls=[_tool_call(c) for c in tool_calls] if tool_calls else None,
        refusal=message.get("refusal"),
        reasoning_content=message.get("reasoning_content"),
    )
    reason = "tool_calls" if tool_calls else "function_call" if called else "stop"
    return Choice(made, finish_reason=reason)


def _function(called: Mapping[str, Any]) -> FunctionCall:
    return FunctionCall(called["name"], called.get("arguments") or "{}")


def _tool_call(made: Mapping[str, Any]) -> ToolCall:
    return ToolCall(made.get("id"), _function(made["function"]), made.get("type", "function"))
