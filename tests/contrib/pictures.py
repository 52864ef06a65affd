"""A picture of one dot, and how to find pictures in content parts."""

from __future__ import annotations

import base64
from typing import Any

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


def locations(parts: list[dict[str, Any]]) -> list[Any]:
    """The URLs of the pictures among content parts."""
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
