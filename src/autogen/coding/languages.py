"""The languages of code blocks: their names, what runs them, and what name a block's file gets.

Shared by every command line executor, so that a block means the same behind every wall.
"""

from __future__ import annotations

import os
import re

from ..errors import UsageError

__all__ = [
    "DEFAULT_EXECUTION_POLICY",
    "SHELLS",
    "canonical_language",
    "command_for",
    "file_name_of",
    "merged_policies",
    "sanitize_command",
    "silence_pip",
]

#: Which languages are executed; the others are only saved.
DEFAULT_EXECUTION_POLICY: dict[str, bool] = {
    "bash": True,
    "shell": True,
    "sh": True,
    "pwsh": True,
    "powershell": True,
    "ps1": True,
    "python": True,
    "javascript": False,
    "html": False,
    "css": False,
}

ALIASES = {"py": "python", "python3": "python", "js": "javascript"}
SHELLS = frozenset({"bash", "shell", "sh", "pwsh", "powershell", "ps1"})
POWERSHELLS = frozenset({"pwsh", "powershell", "ps1"})
SUFFIXES = {
    "python": "py",
    "shell": "sh",
    "bash": "sh",
    "sh": "sh",
    "pwsh": "ps1",
    "powershell": "ps1",
    "ps1": "ps1",
    "javascript": "js",
}

# `# [filename:] name`, `// ...`, `/* ... */` and `<!-- ... -->` as a block's first line.
FILE_NAME_LINES = tuple(
    re.compile(pattern)
    for pattern in (
        r"^<!--\s*(?P<said>filename:)?\s*(?P<name>.+?)\s*-->$",
        r"^/\*\s*(?P<said>filename:)?\s*(?P<name>.+?)\s*\*/$",
        r"^//\s*(?P<said>filename:)?\s*(?P<name>.+?)$",
        r"^#\s*(?P<said>filename:)?\s*(?P<name>.+?)$",
    )
)
#: A bare comment is a file name only if it looks like one: no spaces, and an extension at the end.
BARE_FILE_NAME = re.compile(r"^[\w./\\+-]*[\w+-]\.[A-Za-z][A-Za-z0-9]{0,9}$")


def canonical_language(language: str) -> str:
    """The name under which policies and commands know `language`."""
    lowered = language.strip().lower()
    return ALIASES.get(lowered, lowered)


def merged_policies(execution_policies: dict[str, bool] | None) -> dict[str, bool]:
    """The default policy with the caller's answers over it."""
    own = {canonical_language(name): runs for name, runs in (execution_policies or {}).items()}
    return DEFAULT_EXECUTION_POLICY | own


def command_for(language: str) -> list[str] | None:
    """The program that runs a file of `language`; None where there is no such program.

    Python is not in here: each executor knows which interpreter it means.
    """
    if language == "bash":
        return ["bash"]
    if language in ("sh", "shell"):
        return ["sh"]
    if language in POWERSHELLS:
        # Windows ships `powershell`; everywhere else the program is called `pwsh`.
        return ["powershell" if os.name == "nt" else "pwsh", "-NoProfile", "-File"]
    if language == "javascript":
        return ["node"]
    return None


def file_name_of(code: str, language: str) -> tuple[str, bool]:
    """The name of the file that `code` is saved to, and whether the code itself asked for it."""
    first_line = code.lstrip("\r\n").split("\n", 1)[0].strip()
    for pattern in FILE_NAME_LINES:
        if found := pattern.match(first_line):
            name = found["name"].strip()
            if found["said"] or (not name.startswith("!") and BARE_FILE_NAME.match(name)):
                return name, True
            break
    # Loads OpenSSL, which nobody needs who only makes agents.
    import hashlib

    digest = hashlib.md5(code.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    return f"tmp_code_{digest}.{SUFFIXES.get(language, language)}", False


def silence_pip(code: str, language: str) -> str:
    """`code` with `-qqq` added to each `pip install` line, whose chatter would drown the result."""
    if language == "python":
        pattern = r"^! ?pip install"
    elif language in SHELLS:
        pattern = r"^pip install"
    else:
        return code
    lines = code.split("\n")
    for number, line in enumerate(lines):
        found = re.match(pattern, line)
        if found and "-qqq" not in line:
            lines[number] = line.replace(found[0], found[0] + " -qqq", 1)
    return "\n".join(lines)


DANGEROUS_COMMANDS = (
    (r"\brm\s+-rf\b", "Use of 'rm -rf' command is not allowed."),
    (r"\bmv\b.*?\s+/dev/null", "Moving files to /dev/null is not allowed."),
    (r"\bdd\b", "Use of 'dd' command is not allowed."),
    (r">\s*/dev/sd[a-z][1-9]?", "Overwriting disk blocks directly is not allowed."),
    (r":\(\)\{\s*:\|:&\s*\};:", "Fork bombs are not allowed."),
)


def sanitize_command(lang: str, code: str) -> None:
    """Refuse a few shell commands that destroy much by mistake.

    A net for accidents, not a wall: anybody who means harm walks around it.

    Raises:
        UsageError: (a ValueError) The code holds one of them.
    """
    if lang not in SHELLS:
        return
    for pattern, reason in DANGEROUS_COMMANDS:
        if re.search(pattern, code):
            raise UsageError(f"Potentially dangerous command detected: {reason}")
