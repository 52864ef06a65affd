"""Team files: agents and how they talk, as YAML or JSON. A file holds no code and no keys.

schema_version: 1
name: reviewers
llm: {model: gpt-5-mini, api_key_env: OPENAI_API_KEY}
agents:
  - {name: writer, kind: assistant}
  - {name: user, kind: user, human_input_mode: NEVER, code: {network: none}}
chat: {from: user, to: writer, max_turns: 10}
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import UsageError

__all__ = [
    "SCHEMA_VERSION",
    "AgentSpec",
    "ChatSpec",
    "CodeSpec",
    "GroupSpec",
    "ModelSpec",
    "TeamFile",
    "parsed_team",
    "read_team",
]

SCHEMA_VERSION = 1

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Mode = Literal["ALWAYS", "NEVER", "TERMINATE"]
Percent = Annotated[float, Field(ge=0, le=2)]


class _Part(BaseModel):
    # A misspelt key must not quietly change what a team does.
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class ModelSpec(_Part):
    """A model; its key stands in the environment."""

    model: str = Field(description="Name of the model, or of an Azure deployment.")
    base_url: str | None = Field(default=None, description="Address of the service.")
    api_type: str | None = Field(default=None, description="Kind of the service.")
    api_version: str | None = Field(default=None, description="For Azure.")
    api_key_env: str | None = Field(
        default=None, description="Environment variable that holds the key."
    )
    temperature: Percent | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    timeout: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Seconds for one attempt."
    )
    price: tuple[float, float] | None = Field(
        default=None, description="US dollars per 1,000 tokens sent, and received."
    )

    def config(self) -> dict[str, Any]:
        """The `llm_config`.

        Raises:
            UsageError: The environment lacks the variable with the key.
        """
        entry = self.model_dump(exclude_none=True, exclude={"api_key_env"})
        if entry.get("price") is not None:
            entry["price"] = list(entry["price"])
        if self.api_key_env is not None:
            key = os.environ.get(self.api_key_env)
            if not key:
                raise UsageError(
                    f"the model {self.model!r} wants its key in the environment variable "
                    f"{self.api_key_env}, which is not set."
                )
            entry["api_key"] = key
        return {"config_list": [entry]}


class CodeSpec(_Part):
    """Where the code blocks of messages run."""

    executor: Literal["sandbox", "docker"] = "sandbox"
    work_dir: str = Field(default="coding", description="Relative to the worker's folder.")
    timeout: Annotated[int, Field(ge=1)] = Field(default=60, description="Seconds for a block.")
    network: Literal["none", "public"] | list[str] = "none"
    packages: list[str] | None = None
    memory_mb: Annotated[int, Field(ge=16)] | None = None
    image: str | None = Field(default=None, description="For Docker.")

    @model_validator(mode="after")
    def _stays_here(self) -> CodeSpec:
        path = Path(self.work_dir)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"work_dir {self.work_dir!r} leaves the worker's folder")
        return self


class AgentSpec(_Part):
    """One agent."""

    name: Name
    kind: Literal["assistant", "conversable", "user"] = "assistant"
    system_message: str | None = None
    description: str | None = None
    llm: ModelSpec | Literal[False] | None = Field(
        default=None, description="None takes that of the team; false for no model."
    )
    human_input_mode: Mode | None = None
    max_consecutive_auto_reply: Annotated[int, Field(ge=0)] | None = None
    default_auto_reply: str | None = None
    code: CodeSpec | Literal[False] = False


class GroupSpec(_Part):
    """A group chat."""

    name: Name = "group"
    agents: list[Name] = Field(min_length=1)
    max_round: Annotated[int, Field(ge=1)] = 10
    speaker_selection_method: Literal["auto", "manual", "random", "round_robin"] = "auto"
    allow_repeat_speaker: bool | None = None
    transitions: dict[Name, list[Name]] | None = Field(
        default=None, description="Who may speak after whom."
    )
    llm: ModelSpec | None = Field(default=None, description="Selects speakers.")


class ChatSpec(_Part):
    """Who begins, with whom, and when it ends."""

    sender: Name = Field(alias="from")
    recipient: Name = Field(alias="to")
    max_turns: Annotated[int, Field(ge=1)] | None = None
    summary_method: Literal["last_msg", "reflection_with_llm"] = "last_msg"


class TeamFile(_Part):
    """A team file of schema version 1."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    description: str = ""
    concurrency: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="How many chats may run at once in all workers."
    )
    llm: ModelSpec | None = None
    agents: list[AgentSpec] = Field(min_length=1)
    group: GroupSpec | None = None
    chat: ChatSpec

    @model_validator(mode="after")
    def _names_are_known(self) -> TeamFile:
        names = [agent.name for agent in self.agents]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two agents have the name {twice[0]!r}")
        known = set(names)
        if self.group is not None:
            if self.group.name in known:
                raise ValueError(f"the group and an agent have the name {self.group.name!r}")
            _check("group.agents", self.group.agents, known)
            for speaker, after in (self.group.transitions or {}).items():
                _check("group.transitions", [speaker, *after], set(self.group.agents))
            known.add(self.group.name)
        _check("chat", [self.chat.sender, self.chat.recipient], known)
        if self.group is not None and self.chat.sender == self.group.name:
            raise ValueError("chat.from names the group; a group is spoken to")
        return self


def _check(where: str, names: list[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where} names {name!r}, and known are {', '.join(sorted(known))}")


def read_team(path: str | Path) -> TeamFile:
    """The team of a file.

    Raises:
        UsageError: It cannot be read, or is no team file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the team file {str(path)!r} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f"line {mark.line + 1}: "
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UsageError(f"the team file {str(path)!r} is not YAML: {line}{what}.") from error
    return parsed_team(data, where=str(path), text=text)


def parsed_team(data: Any, *, where: str = "the team", text: str = "") -> TeamFile:
    """The team that `data`, as JSON gives it, describes.

    Args:
        where: What errors call it.
        text: The YAML it was read from, for the numbers of lines in errors.

    Raises:
        UsageError: It is no team of a version that is known here; the text names every fault.
    """
    if not isinstance(data, Mapping):
        raise UsageError(f"{where} holds {type(data).__name__}; a team file is a mapping of keys.")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{where} has schema_version {version!r}; this version of autogen-next reads "
            f"{SCHEMA_VERSION}."
        )
    _refuse_secrets(data, where)
    try:
        return TeamFile.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(_line(text, fault["loc"]) + _words(fault) for fault in error.errors())
        raise UsageError(f"{where} is no team file: {faults}.") from error


_PARTS: Final = (TeamFile, ModelSpec, AgentSpec, CodeSpec, GroupSpec, ChatSpec)
_KEYS: Final = sorted(
    {field.alias or name for part in _PARTS for name, field in part.model_fields.items()}
)


def _line(text: str, loc: tuple[int | str, ...]) -> str:
    """Where `loc` of a YAML text is, as `line N: `; nothing where that is the whole of it."""
    node, line = yaml.compose(text, yaml.SafeLoader), None
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == step), None)
            if found is not None:
                line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line
    return "" if line is None else f"line {line + 1}: "


def _words(fault: Mapping[str, Any]) -> str:
    where = ".".join(map(str, fault["loc"])) or "team"
    if fault["type"] != "extra_forbidden":
        return f"{where}: {fault['msg']}"
    near = difflib.get_close_matches(str(fault["loc"][-1]), _KEYS, n=1)
    return f"{where} is no known key" + (f"; did you mean {near[0]!r}?" if near else "")


def _refuse_secrets(data: Any, where: str) -> None:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in ("api_key", "password", "token") and value:
                raise UsageError(
                    f"{where} holds a secret under {key!r}; name an environment variable with "
                    "api_key_env instead, and make the secret a new one."
                )
            _refuse_secrets(value, where)
    elif isinstance(data, list):
        for item in data:
            _refuse_secrets(item, where)
