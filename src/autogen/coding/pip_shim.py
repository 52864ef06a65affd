"""What answers to `pip` and `uv pip` inside a wall: it asks the host for packages.

The runner lays this file out as the package `pip`. It runs among hostile code and is no part of the
wall: the host checks every request as if code had written it by hand, which it may have. Standard
library only.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import select
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence

__version__ = "25.0"

ASK = "/run/autogen/ask"
WITH_VALUE = {
    "--cache-dir",
    "--default-timeout",
    "--log",
    "--no-binary",
    "--only-binary",
    "--prefix",
    "--progress-bar",
    "--python",
    "--retries",
    "--root",
    "--root-user-action",
    "--src",
    "--target",
    "--timeout",
    "--trusted-host",
    "--upgrade-strategy",
    "-p",
    "-t",
}
REFUSED = {"--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--editable", "-e"}
ALREADY = {"pip"}


class Refused(Exception):
    """A request that is not even passed on; the message says why."""


def main(args: Sequence[str] | None = None) -> int:
    """`pip ARGS`; the exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    if args is None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    command = next((word for word in arguments if not word.startswith("-")), "")
    if "--version" in arguments or "-V" in arguments:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        print(f"pip {__version__} of the sandbox (python {version})")
        return 0
    rest = arguments[arguments.index(command) + 1 :] if command else []
    try:
        if command == "install":
            return install(rest)
        if command in ("list", "freeze"):
            return show_all(columns=command == "list", as_json="--format=json" in rest)
        if command == "show":
            return show(rest)
        if command in ("check", "cache", "config"):
            print("No broken requirements found." if command == "check" else "")
            return 0
        if command == "uninstall":
            raise Refused("Packages of the sandbox are read-only and cannot be removed.")
        if not command or command == "help":
            print("Usage: pip install NAME..., pip list, pip show NAME")
            return 0
        raise Refused(f"pip {command} does not work in the sandbox; pip install, list and show do.")
    except Refused as refusal:
        print(f"ERROR: {refusal}", file=sys.stderr)
        return 1


def uv(args: Sequence[str] | None = None) -> int:
    """`uv ARGS`: `uv pip ...` and `uv add`; the exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    if arguments[:1] == ["pip"]:
        return main(arguments[1:])
    if arguments[:1] == ["add"]:
        return main(["install", *arguments[1:]])
    if arguments[:1] == ["run"] and len(arguments) > 1:
        program = arguments[1:]
        if program[0].endswith(".py"):
            program = [sys.executable, *program]
        os.execvp(program[0], program)
    if "--version" in arguments:
        print("uv of the sandbox")
        return 0
    print(
        "ERROR: of uv, only `uv pip`, `uv add` and `uv run` work in the sandbox.", file=sys.stderr
    )
    return 1


def install(arguments: list[str]) -> int:
    """Ask the host for what the arguments of `pip install` name."""
    wanted: list[str] = []
    constraints: list[str] = []
    flags = {"upgrade": False, "pre": False, "quiet": False}
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("-r", "--requirement", "-c", "--constraint"):
            path = value if equals else next(words, "")
            lines = read_requirements(path)
            (wanted if name in ("-r", "--requirement") else constraints).extend(lines)
        elif word.startswith("-r") and not word.startswith("--"):
            wanted += read_requirements(word[2:])
        elif name in REFUSED:
            raise Refused(f"{name} is not possible in the sandbox: only names of packages are.")
        elif name in WITH_VALUE:
            if not equals:
                next(words, "")
        elif name in ("-U", "--upgrade"):
            flags["upgrade"] = True
        elif name == "--pre":
            flags["pre"] = True
        elif word.startswith(("-q", "--quiet")):
            flags["quiet"] = True
        elif not word.startswith("-"):
            wanted.append(check(word))
    needed = [line for line in wanted if line.strip().lower() not in ALREADY]
    if not flags["quiet"]:
        for line in wanted:
            if line not in needed:
                print(f"Requirement already satisfied: {line}")
    if not needed:
        if not wanted:
            raise Refused("You must give at least one requirement to install.")
        return 0
    answer = ask({"requirements": needed, "constraints": constraints, **flags})
    text = str(answer.get("text", ""))
    if answer.get("exit") == 0:
        if text and not flags["quiet"]:
            print(text)
        return 0
    print(text if text.startswith("ERROR") else f"ERROR: {text}", file=sys.stderr)
    return 1


def check(requirement: str) -> str:
    """A requirement that is a name; the host looks again."""
    if os.path.exists(requirement) and (os.sep in requirement or requirement == "."):
        raise Refused(f"{requirement} is a local path: the sandbox installs packages by name only.")
    if "://" in requirement or requirement.startswith(("git+", "/", ".")) or "@" in requirement:
        raise Refused(f"{requirement} is an address: the sandbox installs packages by name only.")
    return requirement


def read_requirements(path: str, depth: int = 0) -> list[str]:
    """The requirements of a file and of the files it names."""
    if depth > 5:
        raise Refused(f"{path}: requirement files name each other too deeply.")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(256 * 1024)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"Could not open requirements file: {error}") from None
    found: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        line = line.partition(" #")[0].partition(" --hash")[0].strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith(("-r", "--requirement")):
            name = line.removeprefix("--requirement").removeprefix("-r").strip(" =")
            found += read_requirements(os.path.join(os.path.dirname(path), name), depth + 1)
        elif line.startswith("-"):
            if line.split("=")[0].split()[0] in REFUSED:
                raise Refused(f"{line} is not possible in the sandbox: only names of packages are.")
        else:
            found.append(check(line))
    return found


def ask(request: dict[str, object]) -> dict[str, object]:
    """Send a request out and wait for the answer."""
    try:
        if stat.S_ISFIFO(os.stat(ASK).st_mode):
            data = ask_by_pipe(request)
        else:
            data = ask_by_socket(request)
        answer = json.loads(data)
    except (OSError, ValueError):
        return {"exit": 1, "text": "the sandbox did not answer"}
    return answer if isinstance(answer, dict) else {}


def ask_by_socket(request: dict[str, object]) -> bytes:
    """The answer to one request."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(ASK)
        caller.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            part = caller.recv(65536)
            if not part:
                break
            data += part
    return data


def ask_by_pipe(request: dict[str, object]) -> bytes:
    """The answer to one request, where there are no sockets: it comes by a pipe of its own."""
    with tempfile.TemporaryDirectory() as folder:
        reply = os.path.join(folder, "reply")
        os.mkfifo(reply, 0o600)
        line = json.dumps({"reply": reply, "request": request}).encode() + b"\n"
        # Longer lines of two callers could mix.
        if len(line) > select.PIPE_BUF:
            text = "too many requirements at once; install them in several steps"
            return json.dumps({"exit": 1, "text": text}).encode()
        # Open for writing too: the runner looks for a reader before it answers.
        with open(os.open(reply, os.O_RDWR), "rb", buffering=0) as answer:
            with open(ASK, "wb", buffering=0) as question:
                question.write(line)
            return answer.readline()


def show_all(*, columns: bool, as_json: bool) -> int:
    """`pip list` and `pip freeze`."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(name, distribution.version)
    rows = sorted(found.items(), key=lambda row: row[0].lower())
    if as_json:
        print(json.dumps([{"name": name, "version": version} for name, version in rows]))
    elif columns:
        width = max((len(name) for name, _ in rows), default=7)
        print(f"{'Package':<{width}} Version\n{'-' * width} -------")
        for name, version in rows:
            print(f"{name:<{width}} {version}")
    else:
        for name, version in rows:
            print(f"{name}=={version}")
    return 0


def show(arguments: list[str]) -> int:
    """`pip show NAME...`."""
    missing = []
    for name in arguments:
        if name.startswith("-"):
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        print(f"Name: {distribution.metadata['Name']}\nVersion: {distribution.version}")
        print(f"Summary: {distribution.metadata['Summary'] or ''}")
        print(f"Location: {distribution.locate_file('')}")
        requires = [line.split(";")[0].strip() for line in distribution.requires or []]
        print(f"Requires: {', '.join(requires)}")
    if missing:
        print(f"WARNING: Package(s) not found: {', '.join(missing)}", file=sys.stderr)
        return 1
    return 0
