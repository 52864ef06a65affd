"""`Artifact`: a file that code left in its work_dir."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Artifact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A new or changed regular file in the work_dir of an executor.

    Attributes:
        name: Path relative to the work_dir, with forward slashes.
        path: Absolute path on the host.
        mime: Media type guessed from the name; `application/octet-stream` where there is no guess.
        size_bytes: Size when it was collected.
        sha256: Hex digest of the content when it was collected.
    """

    name: str
    path: str
    mime: str
    size_bytes: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dict."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Artifact:
        """The artifact of `to_dict`."""
        return cls(**record)
