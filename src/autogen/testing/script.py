"""`Script`: what a stand-in answers, one item for each call, and the account of what went wrong.

The fakes of this package share it, so all of them are strict in the same way: a call that the
script does not know is an error, and so is an item that nobody asked for. Both are kept, because
code under test may swallow the error of the call itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from ..errors import UsageTypeError

__all__ = ["Script", "ScriptError", "Strict", "UnexpectedCall", "UnusedReplies", "told"]

_LONGEST_TEXT = 300
_MOST_MESSAGES = 12


class ScriptError(AssertionError):
    """What happened is not what the script says. Fails a test as any assertion does."""


class UnexpectedCall(ScriptError):
    """Somebody called when the script had nothing more to say."""


class UnusedReplies(ScriptError):
    """The script ends with items that nobody asked for."""


class Script:
    """Items in order, or a function that makes one for each call. Threads may share it.

    Args:
        items: The items, or the function; it is called with the argument of each call. A function
            among the items makes that one item. An item that is an exception is raised.
        owner: Who answers, for the messages of errors.
    """

    __slots__ = ("_left", "_lock", "_make", "_n_calls", "_n_given", "_owner", "_unexpected")

    def __init__(self, items: Iterable[Any] | Callable[[Any], Any], *, owner: str):
        if isinstance(items, str | bytes | Mapping) or not (
            callable(items) or isinstance(items, Iterable)
        ):
            raise UsageTypeError(
                f"the script of {owner} is a {type(items).__name__}; give a list, or a function "
                "that makes one item for each call."
            )
        self._make = items if callable(items) else None
        self._left: deque[Any] = deque(() if callable(items) else items)
        self._n_given = len(self._left)
        self._owner = owner
        self._lock = threading.Lock()
        self._n_calls = 0
        self._unexpected: list[str] = []

    @property
    def left(self) -> list[Any]:
        """The items that are still to come."""
        with self._lock:
            return list(self._left)

    def take(self, argument: Any, tell: Callable[[], str]) -> Any:
        """The item for this call.

        Args:
            argument: For a function that makes the item.
            tell: What the call was about, in words; asked only when nobody expected it.

        Raises:
            UnexpectedCall: Nothing is left. `assert_done` tells of it too.
            BaseException: The item, where it is an exception.
        """
        item = self._make
        with self._lock:
            self._n_calls += 1
            n = self._n_calls
            is_known = item is not None or bool(self._left)
            if item is None and is_known:
                item = self._left.popleft()
        if not is_known:
            raise self._refused(n, tell())
        if callable(item) and not isinstance(item, type):
            item = item(argument)
        if isinstance(item, BaseException) or (
            isinstance(item, type) and issubclass(item, BaseException)
        ):
            raise item
        return item

    def _refused(self, n: int, about: str) -> UnexpectedCall:
        had = "1 reply" if self._n_given == 1 else f"{self._n_given} replies"
        text = (
            f"call {n} of {self._owner} is not in the script, which had {had}. "
            f"The call was about:\n{about}"
        )
        self.report(text)
        return UnexpectedCall(text)

    def report(self, text: str) -> None:
        """Note a call that nobody expected."""
        with self._lock:
            self._unexpected.append(text)

    def assert_done(self) -> None:
        """Pass if every call was expected and every item was used.

        Raises:
            UnexpectedCall: A call was not in the script.
            UnusedReplies: Items are left.
        """
        with self._lock:
            unexpected, left = list(self._unexpected), list(self._left)
        if unexpected:
            raise UnexpectedCall("\n".join(unexpected))
        if left:
            items = "\n".join(f"  {_short(repr(item))}" for item in left[:_MOST_MESSAGES])
            raise UnusedReplies(
                f"the script of {self._owner} was not played to its end, {len(left)} left:\n{items}"
            )


class Strict:
    """A fake with a script: `with` it, or call `assert_done()` at the end."""

    _script: Script

    def assert_done(self) -> None:
        """Pass if the script was played exactly.

        Raises:
            UnexpectedCall: A call was not in the script.
            UnusedReplies: Items are left.
        """
        self._script.assert_done()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        # What went wrong inside explains the rest of the script better than the rest itself.
        if error is None:
            self.assert_done()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Configurations that name a fake get copied; the copy plays the same script.
        return self


def told(messages: Sequence[Any]) -> str:
    """Chat messages in words, long ones and long lists cut in the middle."""
    lines = [f"  {_told(m)}" for m in messages]
    if len(lines) > _MOST_MESSAGES:
        gone = len(lines) - _MOST_MESSAGES
        lines[2 : 2 + gone] = [f"  ... {gone} more ..."]
    return "\n".join(lines) or "  (no messages)"


def _told(message: Any) -> str:
    if not isinstance(message, Mapping):
        return _short(repr(message))
    content = message.get("content")
    text = content if isinstance(content, str) else "" if content is None else repr(content)
    text = text.strip().replace("\n", "\n    ")
    called = message.get("tool_calls") or message.get("function_call")
    name = message.get("name")
    who = f"{message.get('role', '?')}{f' ({name})' if name else ''}"
    return f"{who}: {_short(text)}{f' calls {_short(repr(called))}' if called else ''}"


def _short(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]} ... {text[-half:]}"
