"""`ScriptedHuman`: a person who answers what the test wrote down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .script import Script, Strict

__all__ = ["ScriptedHuman"]


class ScriptedHuman(Strict):
    """A person with scripted answers, asked directly or through a stream.

        agent.get_human_input = ScriptedHuman(["go on", "exit"])

        with ScriptedHuman(["exit"]) as human, IOStream.set_default(human):
            ...

    A question beyond the script raises `UnexpectedCall`; answers that are left raise
    `UnusedReplies` at the end of the `with` block, or in `assert_done()`.

    Args:
        answers: A list of texts, or a function that is called with each prompt and gives one. An
            exception is raised: KeyboardInterrupt is Ctrl-C, EOFError a closed terminal.

    Attributes:
        prompts: What was asked, in order.
        printed: What each print showed, without the end of the line.
        text: Everything shown, as a terminal would have it.
    """

    def __init__(self, answers: Iterable[Any] | Callable[[str], Any] = ()):
        self._script = Script(answers, owner="ScriptedHuman")
        self._shown: list[tuple[str, str]] = []
        self.prompts: list[str] = []

    def __call__(self, prompt: str = "") -> str:
        """The next answer."""
        self.prompts.append(prompt)
        return str(self._script.take(prompt, lambda: f"  {prompt}"))

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """The next answer; what an IOStream asks with."""
        return self(prompt)

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Keep what was shown."""
        self._shown.append((sep.join(map(str, objects)), end))

    @property
    def printed(self) -> list[str]:
        """What each print showed, without the end of the line."""
        return [text for text, _ in self._shown]

    @property
    def text(self) -> str:
        """Everything shown, as a terminal would have it."""
        return "".join(text + end for text, end in self._shown)

    def __repr__(self) -> str:
        return f"ScriptedHuman({len(self._script.left)} left)"
