"""What the model of the harness answers: the same to the same question; it writes down which."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.crash.audit import mark
from tests.crash.teams.chats import CYCLES, case_of

from autogen.testing import LoopbackLLM, Reply, Request

__all__ = ["serve"]


def serve(delay_s: float) -> LoopbackLLM:
    """A server that thinks for about `delay_s` seconds, the jury for longer."""

    def answered(request: Request) -> Reply:
        messages = request.messages
        text = json.dumps(messages)
        case, name = case_of(text), str(request.model)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        call = f"model {name} {digest} {case}"
        mark("begin", call=call, case=case)
        slowness = int(digest[:2], 16) / 255 + (1 if name == "jury" else 0)
        said = _said(name, case, messages)
        if isinstance(said, str):
            return Reply(said, delay_s=delay_s * slowness)
        return Reply(None, tool_calls=said, delay_s=delay_s * slowness)

    return LoopbackLLM(answered, keep=0)


def _said(name: str, case: str, messages: list[dict[str, Any]]) -> Any:
    if name == "planner":
        cycle = sum("code was good" in str(m.get("content")) for m in messages)
        parts = (f"{cycle}a", f"{cycle}b", f"{cycle}c")
        if cycle >= CYCLES:
            return f"{case}: ALL DONE"
        return [
            _call(f"{case}-{part}", "listen" if part.endswith("c") else "look", case, part)
            for part in parts
        ]
    if name == "solo":
        cycle = sum("ran print" in str(m.get("content")) for m in messages)
        if cycle >= 2 * CYCLES:
            return f"{case}: TERMINATE"
        return f"Run this.\n```python\nprint {case} {cycle}\n```"
    if name == "coder":
        cycle = sum("code was good" in str(m.get("content")) for m in messages)
        return f"Run this.\n```python\nprint {case} {cycle}\n```"
    if name == "selector":
        asked = sum(bool(re.search("code was good", str(m.get("content")))) for m in messages)
        return "boss" if asked == 1 else "planner"
    heard = len(messages)
    last = str(messages[-1].get("content"))
    return f"{case}: {name} says the code was good after {heard}, {_short(last)}"


def _call(id: str, name: str, case: str, part: str) -> dict[str, Any]:
    arguments = json.dumps({"case": case, "part": part})
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _short(text: str) -> str:
    # The case is another one in each chat, and the rest is to be the same.
    text = re.sub(r"case-\d+", "case", text)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
