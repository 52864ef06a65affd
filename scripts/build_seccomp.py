"""Build the seccomp filter of the sandbox: `python scripts/build_seccomp.py` (needs pyseccomp).

Writes into `src/autogen/coding/data/` one file of raw BPF per architecture, and the same rules as
the JSON profile that Docker takes. The package ships those files and only ever reads them, so
libseccomp is needed where this runs and nowhere else.

The filter allows by default and takes away what a program that computes, draws and installs
packages does not need and what has opened ways out of containers before: kernel doors (bpf,
io_uring, keyrings, perf, user fault handling), other processes' memory, mounts and namespaces,
socket families beyond local and IP, raw sockets, terminal injection, and set-user-id bits.
"""

from __future__ import annotations

import errno
import json
import stat
import sys
from pathlib import Path
from typing import Any, Protocol

import pyseccomp as seccomp

DATA = Path(__file__).resolve().parent.parent / "src" / "autogen" / "coding" / "data"
ARCHITECTURES = {"x86_64": seccomp.Arch.X86_64, "aarch64": seccomp.Arch.AARCH64}

REFUSED = """
    acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
    finit_module fsconfig fsmount fsopen fspick init_module iopl ioperm kcmp kexec_file_load
    kexec_load keyctl lookup_dcookie mbind memfd_secret migrate_pages modify_ldt mount mount_setattr
    move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
    pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl
    quotactl_fd reboot request_key set_mempolicy setdomainname sethostname setns settimeofday
    swapoff swapon syslog umount2 unshare userfaultfd vhangup
""".split()

# These answer "no such call", which makes libraries take their older way; EPERM would make them
# give up. clone3 and openat2 keep their flags in memory that a filter cannot read; clone and openat
# do not.
ABSENT = ["clone3", "io_uring_enter", "io_uring_register", "io_uring_setup", "openat2"]

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. Source: linux/sched.h
NAMESPACE_FLAGS = [1 << bit for bit in (17, 25, 26, 27, 28, 29, 30)]

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_HIGHEST = 1, 2, 10, 16, 64
SOCK_TYPE_MASK, SOCK_RAW = 0xF, 3
NETLINK_ROUTE = 0
# TIOCSTI types into the terminal; TIOCLINUX pastes into the console. Source: asm-generic/ioctls.h
TERMINAL_INJECTION = [0x5412, 0x541C]

# Limits and scheduling of another process than the caller, 0: what a block changed of its runner's
# would hold for all blocks after it. Source: sys/resource.h, linux/ioprio.h
SCHEDULING = "sched_setaffinity sched_setattr sched_setparam sched_setscheduler".split()
PRIO_PROCESS, IOPRIO_WHO_PROCESS = 0, 1

# Position of the mode argument of each call that can set permission bits.
MODE_ARGUMENT = {
    "chmod": 1,
    "fchmod": 1,
    "fchmodat": 2,
    "fchmodat2": 2,
    "creat": 1,
    "mkdir": 1,
    "mkdirat": 2,
    "mknod": 1,
    "mknodat": 2,
}
OPEN_ARGUMENTS = {"open": (1, 2), "openat": (2, 3)}
O_CREAT = 0o100
O_TMPFILE_BIT = 0o20000000
# Where a condition looks, how it compares, with what: (position, "EQ", value) and so on, and for
# "MASKED_EQ" the mask and the value.
Condition = tuple[int, str, int] | tuple[int, str, int, int]


class Filter(Protocol):
    """Takes the rules one by one."""

    def refuse(self, call: str, *conditions: Condition, error: int = errno.EPERM) -> None:
        """Answer `call` with `error` where all conditions hold."""


class Program:
    """The filter of one architecture, as BPF."""

    def __init__(self, arch: seccomp.Arch) -> None:
        self.made = seccomp.SyscallFilter(seccomp.ALLOW)
        if arch != seccomp.system_arch():
            self.made.add_arch(arch)
            self.made.remove_arch(seccomp.system_arch())

    def refuse(self, call: str, *conditions: Condition, error: int = errno.EPERM) -> None:
        """Add a rule that libseccomp and this kernel know."""
        arguments = [
            seccomp.Arg(position, getattr(seccomp, how), *values)
            for position, how, *values in conditions
        ]
        try:
            self.made.add_rule(seccomp.ERRNO(error), call, *arguments)
        except (OSError, ValueError) as unknown:
            print(f"left out {call}: {unknown}", file=sys.stderr)


class Profile:
    """The filter as Docker takes it, for every architecture."""

    def __init__(self) -> None:
        self.rules: list[dict[str, Any]] = []

    def refuse(self, call: str, *conditions: Condition, error: int = errno.EPERM) -> None:
        """Add a rule, beside the last one where only the call differs."""
        rule: dict[str, Any] = {
            "names": [call],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": error,
            "args": [
                {
                    "index": position,
                    "value": values[0],
                    "valueTwo": values[1] if len(values) > 1 else 0,
                    "op": f"SCMP_CMP_{how}",
                }
                for position, how, *values in conditions
            ],
        }
        last = self.rules[-1] if self.rules else {"names": []}
        if {**last, "names": []} == {**rule, "names": []}:
            last["names"].append(call)
        else:
            self.rules.append(rule)

    def text(self) -> str:
        """The file, one rule a line."""
        rules = ",\n".join(json.dumps(rule) for rule in self.rules)
        return f'{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [\n{rules}\n]}}\n'


def build(made: Filter) -> None:
    """Put every rule into `made`."""
    refuse = made.refuse

    def masked(position: int, bits: int, wanted: int | None = None) -> Condition:
        return position, "MASKED_EQ", bits, bits if wanted is None else wanted

    for call in REFUSED:
        refuse(call)
    for call in ABSENT:
        refuse(call, error=errno.ENOSYS)
    for flag in NAMESPACE_FLAGS:
        refuse("clone", masked(0, flag))

    for call in ("socket", "socketpair"):
        for family in range(AF_HIGHEST):
            if family not in (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK):
                refuse(call, (0, "EQ", family), error=errno.EAFNOSUPPORT)
        # The kernel reads 32 bits of the family, the filter 64: a dirty upper half lands here.
        refuse(call, (0, "GE", AF_HIGHEST), error=errno.EAFNOSUPPORT)
        refuse(
            call,
            (0, "EQ", AF_NETLINK),
            (2, "NE", NETLINK_ROUTE),
            error=errno.EAFNOSUPPORT,
        )
        for family in (AF_INET, AF_INET6):
            refuse(call, (0, "EQ", family), masked(1, SOCK_TYPE_MASK, SOCK_RAW))

    refuse("prlimit64", (0, "NE", 0), (2, "NE", 0))
    for call in SCHEDULING:
        # Answered as done, and not done: libraries call it for threads of their own, which the
        # filter cannot tell from others, and ZeroMQ ends the process where it fails.
        refuse(call, (0, "NE", 0), error=0)
    refuse("setpriority", (0, "NE", PRIO_PROCESS))
    refuse("setpriority", (1, "NE", 0))
    refuse("ioprio_set", (0, "NE", IOPRIO_WHO_PROCESS))
    refuse("ioprio_set", (1, "NE", 0))

    for command in TERMINAL_INJECTION:
        refuse("ioctl", masked(1, 0xFFFFFFFF, command))

    for bit in (stat.S_ISUID, stat.S_ISGID):
        for call, position in MODE_ARGUMENT.items():
            refuse(call, masked(position, bit))
        for call, (flags, mode) in OPEN_ARGUMENTS.items():
            refuse(call, masked(flags, O_CREAT), masked(mode, bit))
            refuse(call, masked(flags, O_TMPFILE_BIT), masked(mode, bit))


def main() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    for name, arch in ARCHITECTURES.items():
        path = DATA / f"seccomp-{name}.bpf"
        program = Program(arch)
        build(program)
        with path.open("wb") as file:
            program.made.export_bpf(file)
        print(f"{path.name}: {path.stat().st_size} bytes")
    profile = Profile()
    build(profile)
    path = DATA / "seccomp-docker.json"
    path.write_text(profile.text(), encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
