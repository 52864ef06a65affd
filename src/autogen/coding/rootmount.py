"""Started as root in front of bubblewrap: shows folders as if another id owned them.

    python -I -S rootmount.py BASE COUNT FOLDER... -- PROGRAM ARGUMENTS...

Behind an id-mapped mount the code runs under an id that means nothing on this machine, and still
its files land in the folder as the owner's. The mounts live in a mount namespace of this process
and end with it. Standard library only; nothing imports this file. Source:
mount_setattr(2), "ID-mapped mounts".
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

# Source: asm-generic/unistd.h, the same numbers on every architecture since Linux 5.2.
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, 0o2000000
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 0x2, 0x4, 0x100000
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result: int, what: str) -> int:
    """`result`, unless it says that a system call failed: then the end, with a word why."""
    if result < 0:
        number = ctypes.get_errno()
        sys.exit(f"rootmount: {what}: {os.strerror(number)}")
    return result


def user_namespace(base: int, count: int) -> int:
    """A descriptor of a user namespace that maps the ids below `count` to those from `base` on."""
    ready, told = os.pipe()
    leave, left = os.pipe()
    child = os.fork()
    if child == 0:
        done = libc.unshare(CLONE_NEWUSER)
        os.write(told, b"y" if done == 0 else b"n")
        os.close(left)
        os.read(leave, 1)
        os._exit(0)
    if os.read(ready, 1) != b"y":
        sys.exit("rootmount: no user namespace can be made")
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write(f"0 {base} {count}\n")
    namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    for end in (ready, told, leave, left):
        os.close(end)
    os.waitpid(child, 0)
    return namespace


def map_ids(folder: str, namespace: int) -> None:
    """Lay an id-mapped clone of the mount at `folder` over it."""
    path = os.fsencode(folder)
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
    tree = check(libc.syscall(SYS_OPEN_TREE, AT_FDCWD, path, flags), f"cannot clone {folder}")
    attributes = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
    change = struct.pack("QQQQ", attributes, 0, 0, namespace)
    check(
        libc.syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, change, len(change)),
        f"ids cannot be mapped at {folder}",
    )
    check(
        libc.syscall(SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH),
        f"cannot mount at {folder}",
    )
    os.close(tree)


def main() -> None:
    """Mount and become the program."""
    cut = sys.argv.index("--")
    base, count, *folders = sys.argv[1:cut]
    namespace = user_namespace(int(base), int(count))
    check(libc.unshare(CLONE_NEWNS), "no mount namespace can be made")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mounts cannot be made private")
    for folder in folders:
        map_ids(folder, namespace)
    os.close(namespace)
    program = sys.argv[cut + 1 :]
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
