"""`autogen schema`: JSON Schemas of what is written in files and on stdout."""

from __future__ import annotations

import json
from typing import Any

from ..config.team import TeamFile
from ..events import EVENT_TYPES, EVENT_VERSION
from .outcome import ExitCode

__all__ = ["print_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def print_schema(what: str) -> int:
    """Print the schema of "team" files or of an "event"; the exit code."""
    found = TeamFile.model_json_schema() if what == "team" else _event()
    print(json.dumps({"$schema": _DRAFT, **found}, indent=2))
    return int(ExitCode.DONE)


def _event() -> dict[str, Any]:
    text_or_null = {"type": ["string", "null"]}
    fields: dict[str, Any] = {
        "v": {"const": EVENT_VERSION},
        "run_id": {"type": "string"},
        "pos": {"type": ["integer", "null"], "minimum": 1},
        "key": text_or_null,
        "type": {"enum": sorted(EVENT_TYPES)},
        "at": {"type": "number", "description": "Seconds since the epoch."},
        "chat_id": text_or_null,
        "agent": text_or_null,
        "parent": text_or_null,
        "data": {"type": "object"},
    }
    return {"title": "Event", "type": "object", "properties": fields, "required": list(fields)}
