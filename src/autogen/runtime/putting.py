"""Files that a run was begun with: into the folders of its code, before the chat begins."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._durable.database import Database
from ..coding import workspace
from .describing import agents_of

__all__ = ["put_files", "telling_of"]

logger = logging.getLogger("autogen")

Named = Mapping[str, Any]


def telling_of(message: Any, files: Sequence[Named]) -> Any:
    """`message` with the names of the files, where it is text; itself where there are none."""
    if not files:
        return message
    names = ", ".join(str(one["name"]) for one in files)
    words = f"Files in the working directory: {names}"
    if isinstance(message, str):
        return f"{message}\n\n{words}" if message else words
    if isinstance(message, Mapping) and isinstance(message.get("content"), str):
        return {**message, "content": f"{message['content']}\n\n{words}"}
    return words if message is None else message


def put_files(
    database: Database, chat: Mapping[str, Any], files: Sequence[Named], *, is_first: bool
) -> None:
    """Write files into the work_dir of every executor of a chat.

    Args:
        database: Has their contents.
        chat: Of a team.
        files: `name` and `sha256` of each.
        is_first: The run begins; one that goes on keeps what its code made of them.
    """
    if not files:
        return
    for folder in _folders(chat):
        folder.mkdir(parents=True, exist_ok=True)
        for one in files:
            name = str(one["name"])
            if is_first or not (folder / name).exists():
                data = b"".join(database.blobs.read(str(one["sha256"])))
                workspace.write_bytes(folder, name, data)


def _folders(chat: Mapping[str, Any]) -> list[Path]:
    found: dict[Path, None] = {}
    for agent in agents_of(dict(chat)):
        if getattr(agent, "_code_execution_config", False) is False:
            continue
        work_dir = getattr(agent._executor, "work_dir", None)
        if work_dir is not None:
            found[Path(work_dir).absolute()] = None
    return list(found)
