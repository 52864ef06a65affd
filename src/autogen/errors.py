"""Everything this package raises on purpose, as one tree.

    AutogenError
      UsageError (ValueError)          fix your code or configuration
        UsageTypeError (TypeError)     a value of the wrong type
        InvalidCarryOverType, SenderRequired, UndefinedNextAgent, AgentNameConflict,
        ModelToolNotSupportedError
      NoEligibleSpeaker                nobody may speak next; ends a group chat quietly
      LimitError                       a limit you set was reached
        BudgetExceeded, RunCancelled, RunTimeout, BudgetTimeout (both of the first two)
      ProviderError                    the model service; .retryable .status .provider
        AuthenticationError, PermissionDenied, NotFound, BadRequest, ContextTooLong,
        ContentFiltered, RateLimited, ServerFault, ConnectionFault, ProviderTimeout, MalformedAnswer
      ExecutionError                   code could not be run at all (a failing script is a result)
        NoWallError, PackageError
      JournalError                     the record of a durable run
        ReplayMismatch, RunBusy, RunLost, UnknownRun
        UnknownQuestion, AlreadyAnswered, QuestionExpired, UnknownFile

Families say who must act. Standard library only; anybody may import it.

Where a program has imported `openai`, each `ProviderError` is also the exception by which that
library tells the same, so that `except openai.RateLimitError` catches it as in AutoGen 0.2.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Self

__all__ = [
    "AgentNameConflict",
    "AlreadyAnswered",
    "AuthenticationError",
    "AutogenError",
    "BadRequest",
    "BudgetExceeded",
    "BudgetTimeout",
    "ConnectionFault",
    "ContentFiltered",
    "ContextTooLong",
    "ExecutionError",
    "InvalidCarryOverType",
    "JournalError",
    "LimitError",
    "MalformedAnswer",
    "ModelToolNotSupportedError",
    "NoEligibleSpeaker",
    "NoWallError",
    "NotFound",
    "PackageError",
    "PermissionDenied",
    "ProviderError",
    "ProviderTimeout",
    "QuestionExpired",
    "RateLimited",
    "ReplayMismatch",
    "RunBusy",
    "RunCancelled",
    "RunLost",
    "RunTimeout",
    "SenderRequired",
    "ServerFault",
    "UndefinedNextAgent",
    "UnknownFile",
    "UnknownQuestion",
    "UnknownRun",
    "UsageError",
    "UsageTypeError",
]


class AutogenError(Exception):
    """The root of this tree.

    An exception of any type that leaves a running chat carries the chat so far as `.chat_result`.
    """

    chat_result: Any = None


class UsageError(AutogenError, ValueError):
    """A value this package cannot work with; the message says what was expected."""


class UsageTypeError(UsageError, TypeError):
    """A value of the wrong type."""


class LimitError(AutogenError):
    """A limit that the caller set was reached."""


class BudgetExceeded(LimitError):
    """What a call may take at worst is more than a budget has left; the call was not made.

    Attributes:
        limit: The limit in the way: "usd", "tokens", "seconds", "steps" or "code_seconds".
        most: The limit itself, in that unit.
        needed: What the call may take at worst.
        left: What is neither spent nor set aside for calls under way.
        place: Which of the budgets that hold, the outermost being 0; -1 for an agent's own.
        counted_by: What counted, where it was no budget.
    """

    counted_by: Any = None

    def __init__(
        self,
        message: str = "A budget is used up.",
        *,
        limit: str = "",
        most: float = 0.0,
        needed: float = 0.0,
        left: float = 0.0,
        place: int = -1,
    ):
        super().__init__(message)
        self.place = place
        self.limit = limit
        self.most = most
        self.needed = needed
        self.left = left


class RunCancelled(LimitError):
    """Somebody cancelled the run; `reason` is the `stop_reason` that the chat reports."""

    def __init__(self, message: str = "The run was cancelled.", *, reason: str = "cancelled"):
        super().__init__(message)
        self.reason = reason


class RunTimeout(RunCancelled, TimeoutError):
    """The run passed its `timeout_s`."""

    def __init__(self, message: str = "The run passed its time limit."):
        super().__init__(message, reason="timeout")


class BudgetTimeout(RunCancelled, BudgetExceeded):
    """The time that a budget allows was up while something was under way, which was stopped."""

    def __init__(self, message: str = "The time that a budget allows is up."):
        super().__init__(message, reason="budget")
        self.limit = "seconds"


class ProviderError(AutogenError):
    """The model service did not give a usable answer.

    Attributes:
        retryable: Whether the same request may succeed later.
        status: The HTTP status, or None where there was no response.
        provider: Host of the service, for people.
        retry_after_s: Seconds the service asked us to wait, if it said so.
        code: The provider's own error code, if it gave one.
        shown: Whether a part of the answer was shown before it failed; such a call is not repeated.
        unbilled: Whether the call surely cost nothing: it never arrived, or was refused at once.
    """

    retryable: bool = False
    shown: bool = False
    unbilled: bool = False

    def __new__(cls, *args: Any, **_: Any) -> Self:
        """An instance of `cls`, of its twin where the program has imported `openai`."""
        made: Self = super().__new__(_known_to_openai(cls), *args)
        return made

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
    ):
        # Not `super()`: the next class may be one of openai's, which wants a response.
        Exception.__init__(self, message)
        self.provider = provider
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        if retryable is not None:
            self.retryable = retryable


def _known_to_openai(cls: type[Any]) -> type[Any]:
    """`cls`, or its twin that `except openai...` catches, if the program has imported `openai`."""
    openai = sys.modules.get("openai")
    if openai is None or "__twin_of__" in vars(cls):
        return cls
    for kind in cls.__mro__:
        counterpart = getattr(openai, _OPENAI_NAMES.get(kind.__name__, ""), None)
        if isinstance(counterpart, type) and issubclass(counterpart, Exception):
            return _twin(cls, counterpart)  # type: ignore[arg-type]
    return cls


@cache
def _twin(cls: Any, counterpart: Any) -> type[Any]:
    """A class that is both, and called like `cls`."""
    told = {
        "__doc__": cls.__doc__,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__twin_of__": cls,
        # Pickled by name, which is that of `cls`.
        "__reduce__": lambda self: (_again, (cls, self.args, vars(self))),
        "body": None,
        "message": property(str),
        "param": None,
        "request": None,
        "request_id": None,
        "response": None,
        "status_code": property(lambda self: self.status),
        "type": None,
    }
    return type(cls.__name__, (cls, counterpart), told)


def _again(cls: type[Any], args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    error.args = args
    vars(error).update(fields)
    return error


#: Where the OpenAI library has an exception for the same.
_OPENAI_NAMES = {
    "AuthenticationError": "AuthenticationError",
    "BadRequest": "BadRequestError",
    "ConnectionFault": "APIConnectionError",
    "NotFound": "NotFoundError",
    "PermissionDenied": "PermissionDeniedError",
    "ProviderError": "APIError",
    "ProviderTimeout": "APITimeoutError",
    "RateLimited": "RateLimitError",
    "ServerFault": "InternalServerError",
}


class AuthenticationError(ProviderError):
    """The key was missing, wrong or expired (401)."""


class PermissionDenied(ProviderError):
    """The key is good but may not do this (403)."""


class NotFound(ProviderError):
    """No such model or path (404)."""


class BadRequest(ProviderError):
    """The service refused the request as it stands (400, 413, 422)."""


class ContextTooLong(BadRequest):
    """The messages do not fit into the model's context window."""


class ContentFiltered(BadRequest):
    """A content policy of the provider refused the request or the answer; never asked elsewhere."""


class RateLimited(ProviderError):
    """Too many requests or tokens (429)."""

    retryable = True


class ServerFault(ProviderError):
    """The service failed on its own side (408, 409, 5xx)."""

    retryable = True


class ConnectionFault(ProviderError):
    """The service could not be reached, or the connection broke."""

    retryable = True


class ProviderTimeout(ConnectionFault, TimeoutError):
    """The service did not answer within the `timeout` of its config entry."""


class MalformedAnswer(ProviderError):
    """The service answered something that is not a completion, or stopped in the middle of one."""

    retryable = True


class ExecutionError(AutogenError):
    """Code could not be run at all; a script that fails is a result, not an error."""


class NoWallError(ExecutionError):
    """No wall can stand on this machine, and running without one was not asked for."""


class PackageError(ExecutionError):
    """A package that the code asked for could not be installed into a layer."""


class JournalError(AutogenError):
    """The record of a durable run could not be read or written."""


class ReplayMismatch(JournalError):
    """A run that goes on asked for something else than it did before."""


class RunBusy(JournalError):
    """The run is under way somewhere else right now."""


class RunLost(JournalError):
    """Somebody else took the run over while this process stood still; nothing more is written."""


class UnknownRun(JournalError, LookupError):
    """The database has no run with this id."""


class UnknownQuestion(JournalError, LookupError):
    """The database has no question with this id."""


class UnknownFile(JournalError, LookupError):
    """The database has no file with this id."""


class AlreadyAnswered(JournalError):
    """The question has its answer; each is answered once."""


class QuestionExpired(JournalError):
    """The question was not answered in time, or is not asked any more."""


class AgentNameConflict(UsageError):
    """Two agents of a group have the same name where one was looked up by it."""

    def __init__(self, msg: str = "Found multiple agents with the same name.", *args: Any):
        self.message = msg
        super().__init__(msg, *args)


class NoEligibleSpeaker(AutogenError):
    """No member of the group may speak next; the chat ends with `stop_reason` "no_speaker"."""

    def __init__(self, message: str = "No eligible speakers."):
        self.message = message
        super().__init__(message)


class SenderRequired(UsageError):
    """A reply trigger that names an agent was checked without a sender."""

    def __init__(
        self,
        message: str = "A sender is required here: a trigger given as a name cannot match 'None'.",
    ):
        self.message = message
        super().__init__(message)


class InvalidCarryOverType(UsageTypeError):
    """`carryover` was neither a string nor a list."""

    def __init__(
        self, message: str = "carryover must be a string or a list of strings or messages."
    ):
        self.message = message
        super().__init__(message)


class ModelToolNotSupportedError(UsageError):
    """A model was given tools and takes none; model clients of the user's raise it."""

    def __init__(self, model: str):
        self.message = f"The model {model!r} takes no tools; use another model, or leave them out."
        super().__init__(self.message)


class UndefinedNextAgent(UsageError):
    """The next agent in order was asked for among agents that are not in the group."""

    def __init__(
        self, message: str = "None of the given agents is in the group, so nobody comes next."
    ):
        self.message = message
        super().__init__(message)
