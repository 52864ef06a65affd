"""Started as root in front of bubblewrap: shows folders as if another id owned them.

    python -I -S /proc/self/fd/N BASE COUNT FOLDER... -- PROGRAM ARGUMENTS...

Behind an id-mapped mount the code runs under an id that means nothing on this machine, and still
its files land in the folder as the owner's. The mounts live in a mount namespace of this process
and end with it. Standard library only; nothing imports this file. Source:
mount_setattr(2), "ID-mapped mounts".
"""

from __future__ import annotations

# The `ctypes` package around these would take 4 ms of every cold start to import.
import _ctypes
import _struct as struct
import os
import sys

# Source: asm-generic/unistd.h, the same numbers on every architecture since Linux 5.2.
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, 0o2000000
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 0x2, 0x4, 0x100000
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

FUNCTION_OF_C, WITH_ERRNO = 1, 8


class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """What most functions of the C library return."""

    _type_ = "i"


class Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """What a system call returns."""

    _type_ = "l"


class Function(_ctypes.CFuncPtr):
    """A function of the C library."""

    _flags_ = FUNCTION_OF_C | WITH_ERRNO
    _restype_ = Int


class SystemCall(_ctypes.CFuncPtr):
    """The one that makes system calls."""

    _flags_ = FUNCTION_OF_C | WITH_ERRNO
    _restype_ = Long


library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
syscall = SystemCall(_ctypes.dlsym(library, "syscall"))
mount = Function(_ctypes.dlsym(library, "mount"))
unshare = Function(_ctypes.dlsym(library, "unshare"))


def check(result: int, what: str) -> int:
    """`result`, unless it says that a system call failed: then the end, with a word why."""
    if result < 0:
        number = _ctypes.get_errno()
        sys.exit(f"rootmount: {what}: {os.strerror(number)}")
    return result


def user_namespace(base: int, count: int) -> int:
    """A descriptor of a user namespace that maps the ids below `count` to those from `base` on."""
    ready, told = os.pipe()
    leave, left = os.pipe()
    child = os.fork()
    if child == 0:
        done = unshare(CLONE_NEWUSER)
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
    tree = check(syscall(SYS_OPEN_TREE, AT_FDCWD, path, flags), f"cannot clone {folder}")
    attributes = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
    change = struct.pack("QQQQ", attributes, 0, 0, namespace)
    check(
        syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, change, len(change)),
        f"ids cannot be mapped at {folder}",
    )
    check(
        syscall(SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH),
        f"cannot mount at {folder}",
    )
    os.close(tree)


def main() -> None:
    """Mount and become the program, which does not get the descriptor that this was read from."""
    os.set_inheritable(int(sys.argv[0].rpartition("/")[2]), False)
    cut = sys.argv.index("--")
    base, count, *folders = sys.argv[1:cut]
    namespace = user_namespace(int(base), int(count))
    check(unshare(CLONE_NEWNS), "no mount namespace can be made")
    check(mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mounts cannot be made private")
    for folder in folders:
        map_ids(folder, namespace)
    os.close(namespace)
    program = sys.argv[cut + 1 :]
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
