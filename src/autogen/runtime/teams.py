"""Teams: agents that can be made anew by name, so that any worker can go on with their chat.

@autogen.team("reviewers")
def reviewers():
    writer = AssistantAgent("writer", llm_config=...)
    critic = AssistantAgent("critic", llm_config=...)
    return {"sender": critic, "recipient": writer, "max_turns": 4}
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..agentchat.conversable_agent import ConversableAgent
from ..agentchat.user_proxy_agent import UserProxyAgent
from ..errors import AutogenError, UsageError, UsageTypeError

__all__ = ["Team", "add", "team", "team_named", "teams"]

Factory = Callable[..., Any]
F = TypeVar("F", bound=Factory)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Agents that can be made anew.

    Attributes:
        name: What it is asked for by.
        make: Makes the agents: gives a chat as an entry of `initiate_chats` (a dict with `sender`
            and `recipient`, and whatever else `initiate_chat` takes), a pair (sender, recipient),
            or one agent, which is then spoken to by a user proxy that asks people.
        concurrency: How many of its chats may run at once in all workers; None for any number.
        description: For people.
    """

    name: str
    make: Factory
    concurrency: int | None = None
    description: str = ""

    def chat(self) -> dict[str, Any]:
        """A new chat of new agents, as keywords of `initiate_chat` and its `sender`.

        Raises:
            UsageError: `make` failed; the message says how.
            UsageTypeError: What `make` gave is no chat.
        """
        try:
            made = self.make()
        except AutogenError:
            raise
        except Exception as error:
            how = f"{type(error).__name__}: {error}"
            raise UsageError(f"the team {self.name!r} can't be made: {how}.") from error
        if isinstance(made, Mapping):
            chat = dict(made)
        elif isinstance(made, tuple) and len(made) == 2:
            chat = {"sender": made[0], "recipient": made[1]}
        else:
            user = UserProxyAgent("user", code_execution_config=False)
            chat = {"sender": user, "recipient": made}
        for key in ("sender", "recipient"):
            if not isinstance(chat.get(key), ConversableAgent):
                raise UsageTypeError(
                    f"team {self.name!r} made {made!r}; return a dict with 'sender' and "
                    "'recipient', a pair of agents, or one agent."
                )
        return chat


_teams: dict[str, Team] = {}


def team(name: str, *, concurrency: int | None = None, description: str = "") -> Callable[[F], F]:
    """Register a function that makes a team, so that workers can run its chats.

    The function is called anew for each chat, and again when the chat goes on in another process:
    it must make new agents each time.

    Args:
        name: Letters, digits, `_`, `.` and `-`; at most 64.
        concurrency: How many of its chats may run at once in all workers; None for any number.
        description: For people; None takes the first line of the docstring.

    Raises:
        UsageError: The name cannot be used, or another function has it.
    """
    given: Any = name
    if inspect.isfunction(given):
        called = given.__name__
        raise UsageError(
            f"@autogen.team above {called} has no name for the team; write "
            f'@autogen.team("{called}").'
        )
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise UsageError(
            f"the team name {name!r} can't be used; give 1 to 64 letters, digits, '_', '.' and "
            "'-', beginning with a letter or digit."
        )
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        raise UsageError(f"concurrency is {concurrency!r}; give a whole number of at least 1.")

    def register(make: F) -> F:
        words = description or (make.__doc__ or "").strip().partition("\n")[0]
        add(Team(name=name, make=make, concurrency=concurrency, description=words))
        return make

    return register


def add(one: Team) -> None:
    """Register a team."""
    before = _teams.get(one.name)
    if before is not None and _home(before.make) != _home(one.make):
        raise UsageError(
            f"two teams have the name {one.name!r}: {_home(before.make)} and {_home(one.make)}; "
            "rename one."
        )
    _teams[one.name] = one


def _home(function: Factory) -> str:
    module = getattr(function, "__module__", "?")
    name = str(getattr(function, "__qualname__", function))
    # A team file has a name only: its path.
    return f"{module}.{name}" if module else name


def teams() -> dict[str, Team]:
    """The teams that this process knows, by name."""
    return dict(_teams)


def team_named(name: str) -> Team:
    """The team with this name.

    Raises:
        UsageError: There is none.
    """
    found = _teams.get(name)
    if found is None:
        known = ", ".join(sorted(_teams)) or "none"
        raise UsageError(
            f"no team has the name {name!r}; known are: {known}. Register it with "
            '@autogen.team("NAME") in a file of the folder that --teams names.'
        )
    return found
