"""Started by `landlock.py` in front of the runner: goes behind Landlock and watches over it.

    python -I -S landlock_entry.py SPEC PROGRAM ARGUMENTS...

It confines itself, or where root started it the child that it gives an id of its own; starts the
program; and when that ends, or whoever holds the other end of stdin does, kills whatever is left
inside and hands the files back. Standard library only; `landlock.py` uses its constants and
`hand_over`. Source: the kernel's user space interface of Landlock, and linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import shutil
import signal
import stat
import struct
import sys
import time
from typing import Any

# Source: asm-generic/unistd.h, the same numbers on every architecture.
SYS_CREATE_RULESET, SYS_ADD_RULE, SYS_RESTRICT_SELF = 444, 445, 446
RULE_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK, REFER, TRUNCATE, IOCTL_DEV = 1 << 6, 1 << 11, 1 << 13, 1 << 14, 1 << 15
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
NET_BIND_AND_CONNECT = 3
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SECCOMP_MODE_FILTER = 2
CAPABILITIES = 64
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result: int, what: str) -> int:
    """`result`, unless it says that a system call failed: then the end, with a word why."""
    if result < 0:
        sys.exit(f"landlock: {what}: {os.strerror(ctypes.get_errno())}")
    return result


def abi() -> int:
    """The version of Landlock that this kernel has; below 1 if it has none or it is off."""
    return int(libc.syscall(SYS_CREATE_RULESET, None, 0, 1))


def file_rights(version: int) -> int:
    """Every right over files that this version knows."""
    return (1 << (16 if version >= 5 else 15 if version >= 3 else 13)) - 1


def confine(rules: list[tuple[str, int]], version: int, known: dict[str, list[int]]) -> None:
    """Allow this process and its children `rules` (path, rights) and nothing else.

    `known` has device and inode of paths that must not have been exchanged meanwhile.
    """
    handled = file_rights(version)
    attributes = struct.pack("Q", handled)
    if version >= 4:
        attributes += struct.pack("Q", NET_BIND_AND_CONNECT)
    if version >= 6:
        attributes += struct.pack("Q", SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS)
    ruleset = check(
        libc.syscall(SYS_CREATE_RULESET, attributes, len(attributes), 0), "no rules can be made"
    )
    for path, rights in rules:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            # What is not there needs no rule.
            continue
        rights &= handled
        state = os.fstat(place)
        if path in known and [state.st_dev, state.st_ino] != known[path]:
            sys.exit(f"landlock: {path} is another folder than before")
        if not stat.S_ISDIR(state.st_mode):
            rights &= FILE_RIGHTS
        rule = struct.pack("=Qi", rights, place)
        check(libc.syscall(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0), f"rule for {path}")
        os.close(place)
    restrict(ruleset)


def confine_signals(version: int) -> None:
    """One wall within the wall: signals reach only processes that are started from here on."""
    if version >= 6:
        attributes = struct.pack("QQQ", 0, 0, SCOPE_SIGNALS)
        restrict(check(libc.syscall(SYS_CREATE_RULESET, attributes, 24, 0), "no inner wall"))


def restrict(ruleset: int) -> None:
    """Put rules on this process and its children, for good."""
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "privileges cannot be given up")
    check(libc.syscall(SYS_RESTRICT_SELF, ruleset, 0), "rules cannot be put on")
    os.close(ruleset)


def bound_capabilities() -> None:
    """See to it that root, which is more than its number, gets no capability back."""
    for number in range(CAPABILITIES):
        libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up those there are."""
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    check(libc.capset(header, bytes(24)), "capabilities cannot be given up")


def load_filter(program: bytes) -> None:
    """Put a seccomp filter on this process and its children, on top of those it has."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    buffer = ctypes.create_string_buffer(program, len(program))
    described = Program(len(program) // 8, ctypes.addressof(buffer))
    check(
        libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0),
        "no system call filter can be put on",
    )


def become(uid: int, gid: int) -> None:
    """Give up the caller's id for one of its own."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def hand_over(root: str, old: int, new: int, new_group: int, *, identity: tuple[int, int]) -> None:
    """Give what `old` owns below `root` to `new`, links themselves and not what they point to.

    Stays on the file system of `root`, and leaves files alone that have a second name elsewhere.

    Raises:
        OSError: `root` is not there, or another folder than that of this device and inode.
    """
    device = identity[0]
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        state = os.fstat(top)
        if (state.st_dev, state.st_ino) != tuple(identity):
            raise OSError(errno.ESTALE, "it is another folder than before")
        _hand_over_below(top, device, old, new, new_group)
        if state.st_uid == old:
            os.fchown(top, new, new_group)
    finally:
        os.close(top)


def _hand_over_below(top: int, device: int, old: int, new: int, new_group: int) -> None:
    for _, folders, files, place in os.fwalk(".", dir_fd=top, follow_symlinks=False):
        for name in [*folders, *files]:
            try:
                state = os.stat(name, dir_fd=place, follow_symlinks=False)
                is_other = state.st_dev != device or state.st_uid != old
                if is_other or (stat.S_ISREG(state.st_mode) and state.st_nlink > 1):
                    continue
                os.chown(name, new, new_group, dir_fd=place, follow_symlinks=False)
            except OSError:
                continue


def go_first() -> None:
    """See to it that the kernel, short of memory, ends what runs here before the host's programs.

    From behind the rules nobody can say that any more. What is started inherits it.
    """
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass


def sweep(uid: int | None) -> None:
    """Kill everything that was started from here, until nothing is left."""
    while True:
        if uid is None:
            kill_all()
        else:
            helper = os.fork()
            if helper == 0:
                os.setresuid(uid, uid, uid)
                kill_all()
                os._exit(0)
            os.waitpid(helper, 0)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def kill_all() -> None:
    """Kill whatever this process may."""
    try:
        os.kill(-1, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def main() -> None:
    """Confine, start, watch, clean up."""
    spec: dict[str, Any] = json.loads(sys.argv[1])
    program = sys.argv[2:]
    version, uid = spec["abi"], spec["uid"]
    rules = [(path, rights) for path, rights in spec["rules"]]
    known = {spec["work_dir"]: spec["identity"]}
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if uid is None:
        stay_outside(spec["folder"], spec["info"])
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    filters = []
    for path in spec["filters"]:
        with open(path, "rb") as file:
            filters.append(file.read())
    filters.append(bytes.fromhex(spec["filter"]))
    if uid is None:
        bound_capabilities()
        drop_capabilities()
        confine(rules, version, known)
    child = os.fork()
    if child == 0:
        os.close(spec["info"])
        go_first()
        if uid is None:
            confine_signals(version)
        else:
            bound_capabilities()
            become(uid, uid)
            drop_capabilities()
            confine(rules, version, known)
        for one in filters:
            load_filter(one)
        os.chdir("/")
        os.execv(program[0], program)
    os.write(spec["info"], json.dumps({"child-pid": child}).encode())
    os.close(spec["info"])
    watch(child)
    sweep(uid)
    if uid is not None:
        try:
            hand_over(
                spec["work_dir"], uid, spec["owner"], spec["group"], identity=spec["identity"]
            )
        except OSError:
            # It is gone, or what is there in its place is none of this program's.
            pass
    shutil.rmtree(spec["folder"], ignore_errors=True)


def stay_outside(folder: str, info: int) -> None:
    """Go on in a fork, to be confined; what that may not do any more is done here at the end."""
    inner = os.fork()
    if inner == 0:
        return
    os.close(info)
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    os.waitpid(inner, 0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def watch(child: int) -> None:
    """Wait until the program or the caller is gone."""
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    # Whether the other end of the pipe is closed is told without reading from it.
    poll.register(0, 0)
    poll.poll()


if __name__ == "__main__":
    main()
