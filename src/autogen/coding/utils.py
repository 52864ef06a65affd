"""The 0.2 address of `silence_pip`, and of finding the file name in code."""

from __future__ import annotations

from pathlib import Path

from .languages import file_name_of, silence_pip

__all__ = ["silence_pip"]


def _get_file_name_from_content(code: str, workspace_path: Path) -> str | None:
    """The file that the first line of `code` names, relative to the workspace; None if it does not.

    Raises:
        ValueError: The name leads out of the workspace.
    """
    name, is_said = file_name_of(code, "python")
    if not is_said:
        return None
    root = Path(workspace_path).resolve()
    return str((root / name).resolve().relative_to(root))
