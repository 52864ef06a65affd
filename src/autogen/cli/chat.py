"""`autogen chat`: talk with an assistant; its code runs in the sandbox when you say so."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from ..agentchat.assistant_agent import AssistantAgent
from ..agentchat.user_proxy_agent import UserProxyAgent
from ..coding.extract import MarkdownCodeExtractor
from ..errors import AutogenError
from .model import choose_model
from .outcome import ExitCode, exit_with_words, words_of
from .session import Session, open_session

__all__ = ["talk"]

SYSTEM_MESSAGE = """\
You talk with a person at a terminal. Answer in a few plain words; ask back where something is
unclear. Where code helps, write one complete block (```python or ```sh) that runs as it is: the
person is asked whether to run it, and you are sent what it printed. It runs in a folder of its own
without network; `pip install NAME` works. Print what you need to know, read the output, and repair
what failed. Files that the person should get are written to the current folder.
"""

_HELP = """\
  Enter           at a question about code: run it
  /new            forget the conversation
  /help           this list
  /exit, Ctrl-D   leave
  Ctrl-C          stop the answer under way
  A line that ends with \\ goes on in the next one."""

#: One word behind a slash. A path has a second slash or a dot, and goes to the model.
_COMMAND = re.compile(r"/[A-Za-z?-]*")

_RUNNABLE = frozenset({"bash", "py", "python", "sh", "shell"})


class Person(UserProxyAgent):
    """The person at the terminal: says what is sent, and whether code is run."""

    def __init__(self, *, session: Session, work_dir: str):
        super().__init__(
            "you",
            human_input_mode="ALWAYS",
            is_termination_msg=lambda message: False,
            code_execution_config={"work_dir": work_dir},
        )
        self._session = session
        self.wants_new = False

    def get_human_input(self, prompt: str) -> str:
        """What the person answers to the newest message; "" runs its code, "exit" ends the chat."""
        languages = self._languages_to_run()
        self._session.pen.text()
        if languages:
            words = f"Run this {', '.join(languages)} in the sandbox? [Y/n, or your answer] "
            answer = self.ask(words)
            if answer.strip().lower() in ("", "y", "yes"):
                return ""
            if answer.strip().lower() not in ("n", "no"):
                return answer
        while not (answer := self.ask("> ")).strip():
            pass
        return answer

    def _languages_to_run(self) -> list[str]:
        message = self.last_message() or {}
        blocks = MarkdownCodeExtractor().extract_code_blocks(message.get("content"))
        found = dict.fromkeys(block.language.lower() for block in blocks)
        return [language for language in found if language in _RUNNABLE]

    def ask(self, prompt: str) -> str:
        """A line, or several joined by backslashes; "exit" at the end of the input or on /exit."""
        self._session.pen.pause()
        while True:
            try:
                line = _read(prompt)
            except EOFError:
                self._session.pen.text()
                return "exit"
            except KeyboardInterrupt:
                self._session.pen.note("\n(Ctrl-D leaves)")
                continue
            command = line.strip()
            if command == "/help":
                self._session.pen.text(_HELP)
            elif command == "/new":
                self.wants_new = True
                return "exit"
            elif command == "/exit":
                return "exit"
            elif _COMMAND.fullmatch(command):
                self._session.pen.warn(
                    f"There is no {command}; the commands are /new, /help and /exit."
                )
            else:
                return line


def _read(prompt: str) -> str:
    lines = [input(prompt)]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(input("  "))
    return "\n".join(lines)


def talk(*, model: str | None, base_url: str | None, work_dir: str, debug: bool) -> int:
    """Talk until the person leaves; the exit code."""
    secrets: list[str] = []
    with exit_with_words(debug=debug, secrets=secrets):
        choice = choose_model(model, base_url)
        secrets += choice.secrets
        session = open_session(thinker="assistant", as_json=False, unseen=("you",))
        session.pen.title("autogen chat", f"{choice.label}; /help, Ctrl-D leaves")
        _remember_lines()
        person = Person(session=session, work_dir=work_dir)
        assistant = AssistantAgent("assistant", SYSTEM_MESSAGE, llm_config=choice.llm_config)
        _converse(person, assistant, session, lambda error: words_of(error, secrets))
        session.pen.note(f"{session.transcript.tokens:,} tokens in all")
        return int(ExitCode.DONE)


def _converse(
    person: Person,
    assistant: Any,
    session: Session,
    words: Callable[[BaseException], list[str]],
) -> None:
    """Chat after chat, each going on where the last stopped; errors and Ctrl-C end none."""
    clear = True
    while True:
        if person.wants_new:
            person.wants_new, clear = False, True
            session.pen.note("A new conversation.")
        message = person.ask("> ")
        if person.wants_new or not message.strip():
            continue
        if message == "exit":
            return
        try:
            result, _ = session.talk(person, assistant, message, clear_history=clear)
        except AutogenError as error:
            session.pen.warn("\n".join(words(error)))
        else:
            if result.stop_reason == "human_exit" and not person.wants_new:
                return
            if result.stop_reason == "cancelled":
                session.pen.note("(stopped; the conversation goes on)")
        clear = False


def _remember_lines() -> None:
    """Arrow keys and the lines typed before, where the terminal can."""
    if sys.stdin.isatty():
        try:
            import readline  # noqa: F401 loading it is what changes `input`
        except ImportError:
            pass
