"""`Chat`: one conversation between two agents while it is under way, and what it leaves behind."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from .._kernel.run import current_run
from ..artifacts import Artifact
from ..human.base import QuestionKind
from ..messages import History, Message
from ..usage import ChatCost, Ledger, Usage
from .brakes import Brakes

__all__ = ["Chat", "ChatResult", "Histories", "Shape", "current_chat", "is_silent", "record"]


class Shape:
    """Which lists agents keep their histories in, and whose code takes part when they hear.

    Whoever holds on to a list looks whether `now` is still what it was.
    """

    now: ClassVar[object] = object()

    @classmethod
    def changes(cls) -> None:
        """Something is about to be another."""
        cls.now = object()


class Histories(dict[Any, list[dict[str, Any]]]):
    """An agent's histories by partner; a partner met for the first time gets an empty one."""

    __slots__ = ()

    def __missing__(self, partner: Any) -> list[dict[str, Any]]:
        made = self[partner] = History()
        return made

    def __setitem__(self, partner: Any, history: list[dict[str, Any]]) -> None:
        Shape.changes()
        super().__setitem__(partner, history)

    def __delitem__(self, partner: Any) -> None:
        Shape.changes()
        super().__delitem__(partner)

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def clear(self) -> None:
        """Forget everybody."""
        Shape.changes()
        super().clear()

    def pop(self, partner: Any, *default: Any) -> Any:
        """Forget the list of `partner`."""
        Shape.changes()
        return super().pop(partner, *default)

    def popitem(self) -> tuple[Any, list[dict[str, Any]]]:
        """Forget the list that was put in last."""
        Shape.changes()
        return super().popitem()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Put in the lists of another dict."""
        Shape.changes()
        super().update(*args, **kwargs)

    @classmethod
    def over(cls, given: dict[Any, list[dict[str, Any]]] | None) -> dict[Any, list[dict[str, Any]]]:
        """`given` itself where it makes histories of its own; its lists in one of these else."""
        if given is not None and hasattr(given, "__missing__"):
            return given
        return cls(given or {})

    def keep(self, partner: Any, message: Message) -> None:
        """Append a message made by `stored` to the history of `partner`."""
        record(self[partner], message)

    def newest(self, partner: Any) -> dict[str, Any]:
        """The last message with `partner`."""
        return self[partner][-1]


def record(history: list[dict[str, Any]], message: Message) -> None:
    """Append a message made by `stored` to a list of ours, or to one the user put in its place."""
    if type(history) is History:
        history.record(message)
    else:
        history.append(message)


class Chat:
    """A running chat. What happens inside it, nested chats included, is accounted here.

    Attributes:
        id: Unique in its run.
        initiator: The agent that started it.
        recipient: The agent it talks to.
        parent: The chat this one runs inside of, or None.
        silent: Nothing of it is printed.
        is_sync: It was begun by a sync call; what is async among the reply functions takes no part.
        taps: Lists that every model call made inside is also added to.
        ledger: Every model call made inside.
        human_input: Every raw answer people gave inside, in order.
        artifacts: Every file that code left, the newest state of each last.
        note: Why the agent now replying declines to, as a `stop_reason`; None if it did not say.
        stop_reason: Why the chat ended; None while it runs.
        n_messages: How many messages were delivered between the two.
        expecting: (sender, recipient) of the delivery under way, so that an overridden `send` or
            `receive` that calls `super()` reaches this chat's mailbox instead of starting a
            conversation of its own.
        mailbox: (who has to reply, to whom).
        brakes: What stops it where nobody set a limit.
        asks_to: What sort of an answer is wanted from people right now.
    """

    __slots__ = (
        "artifacts",
        "asks_to",
        "brakes",
        "expecting",
        "human_input",
        "id",
        "initiator",
        "is_sync",
        "ledger",
        "mailbox",
        "n_messages",
        "note",
        "parent",
        "recipient",
        "silent",
        "stop_reason",
        "taps",
    )

    def __init__(
        self, id: str, initiator: Any, recipient: Any, *, parent: Chat | None, silent: bool
    ):
        self.id = id
        self.initiator = initiator
        self.recipient = recipient
        self.parent = parent
        self.silent = silent
        self.is_sync = False
        self.ledger = Ledger()
        self.human_input: list[str] = []
        self.artifacts: dict[str, Artifact] = {}
        self.note: str | None = None
        self.stop_reason: str | None = None
        self.n_messages = 0
        self.expecting: tuple[Any, Any] | None = None
        self.mailbox: deque[tuple[Any, Any]] = deque()
        self.taps: list[list[Usage]] = []
        self.brakes = Brakes()
        self.asks_to: QuestionKind = "text"

    def account(self, usage: Usage) -> None:
        """Count a model call here and in every chat around."""
        chat: Chat | None = self
        while chat is not None:
            chat.ledger.add(usage)
            for tap in chat.taps:
                tap.append(usage)
            chat = chat.parent

    def heard(self, answer: str) -> None:
        """Keep what a person answered, here and in every chat around."""
        chat: Chat | None = self
        while chat is not None:
            chat.human_input.append(answer)
            if chat.brakes.watch is not None:
                chat.brakes.watch.restart()
            chat = chat.parent

    def left(self, artifacts: tuple[Artifact, ...]) -> None:
        """Keep the files that code left, here and in every chat around."""
        chat: Chat | None = self
        while chat is not None:
            for artifact in artifacts:
                chat.artifacts.pop(artifact.path, None)
                chat.artifacts[artifact.path] = artifact
            chat = chat.parent

    def let_go(self) -> None:
        """Forget the agents: a context that outlives the chat must not keep them and their walls.

        A connection to a model that is kept open for the next chat, for instance, keeps the context
        that it was opened in.
        """
        self.initiator = self.recipient = self.expecting = None
        self.mailbox.clear()

    def is_within(self, other: Chat) -> bool:
        """Whether this chat is `other` or runs inside it."""
        chat: Chat | None = self
        while chat is not None:
            if chat is other:
                return True
            chat = chat.parent
        return False


@dataclass
class ChatResult:
    """What a chat came to.

    Attributes:
        chat_id: The id given in an async queue of chats, else None.
        chat_history: The initiator's messages with the recipient, as they were when the chat ended;
            a copy.
        summary: By the `summary_method`; "" where there is none.
        cost: This chat's model calls, everything that ran inside it included.
        human_input: The raw answers people gave inside this chat, in order.
        stop_reason: Why it ended: "termination", "human_exit", "max_turns", "max_round",
            "max_replies", "no_reply", "no_speaker", "budget", "loop", "timeout", "cancelled" or
            "error".
        artifacts: Files that code left in its work_dir.
        run_id: The run this chat was part of.
    """

    chat_id: Any = None
    chat_history: list[dict[str, Any]] = field(default_factory=list)
    summary: Any = ""
    cost: ChatCost = field(default_factory=ChatCost)
    human_input: list[str] = field(default_factory=list)
    stop_reason: str | None = None
    artifacts: list[Artifact] = field(default_factory=list)
    run_id: str = ""


def current_chat() -> Chat | None:
    """The chat that the calling code runs inside of, or None."""
    run = current_run()
    return None if run is None else run.scope


def is_silent(agent: Any, silent: bool | None) -> bool:
    """Whether `agent` speaks without being printed, where the call says `silent`."""
    own = getattr(agent, "silent", None)
    return bool(silent if own is None else own)
