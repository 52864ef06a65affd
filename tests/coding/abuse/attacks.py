"""The attacks: what hostile code tries, and which layer of a wall is there to stop it.

An attack prints `GOT` and what it got hold of for each thing that worked, and `end` when it has
tried everything. It failed if nothing was got and it either came to its end or was ended by the
limit that it names. `<<name>>` in its code stands for something of the host (`stage.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Wall = Literal["bubblewrap", "landlock", "docker"]

PRELUDE = r"""
import ctypes, errno, fcntl, os, platform, resource, signal, socket, stat, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
x86 = platform.machine() == "x86_64"
def call(numbers, *arguments):
    ctypes.set_errno(0)
    found = libc.syscall(numbers[0 if x86 else 1], *arguments)
    if found == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return found
def got(what, act):
    try:
        value = act()
    except (OSError, ValueError, MemoryError):
        return
    if value is not False:
        print("GOT", what, repr(value)[:80], flush=True)
def read(path, size=4096):
    return lambda: os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), size)
def write(path, data=b"x", flags=os.O_WRONLY):
    def act():
        there = os.open(path, flags | os.O_NONBLOCK, 0o600)
        return os.write(there, data)
    return act
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One way to do harm.

    Attributes:
        id: Its name.
        kind: The class that the table in docs/security.md has a line for.
        code: What is run; Python code gets `PRELUDE` in front unless `whole`.
        layer: What stops it, in words.
        ends: How it ends where it does not come to its own end: exit codes, any of them.
        says: What the output then has to say, of several at least one.
        open_on: Walls where it works and is known to, with what that means.
        timeout_s: How long it may take.
        needs_group: What stops it needs control groups that can be written.
    """

    id: str
    kind: str
    code: str
    layer: str
    language: str = "python"
    whole: bool = False
    ends: tuple[int, ...] = ()
    says: tuple[str, ...] = ()
    open_on: dict[Wall, str] = field(default_factory=dict)
    timeout_s: int = 10
    slow: bool = False
    needs_group: bool = False


READING, WRITING, LINKS = "reading", "writing", "links and files"
NETWORK, BOMBS, LIFE = "network", "using everything up", "staying and killing"
KERNEL, DECEIT = "kernel", "deceiving the host"

VIEW, RULES = "the view of the file system", "the file rules"
FILTER = "the system call filter"

ATTACKS = (
    # -- reading -----------------------------------------------------------------------------------
    Attack(
        id="file-of-the-host",
        kind=READING,
        layer=VIEW,
        code="""
got("file", read("<<secret>>"))
got("file by descriptor", lambda: os.open("<<outside>>", os.O_RDONLY))
got("list", lambda: os.listdir("<<outside>>"))
got("path trick", read("/proc/self/root<<secret>>"))
got("path trick", read("/proc/self/cwd/../outside/secret"))
""",
    ),
    Attack(
        id="that-a-file-is-there",
        kind=READING,
        layer=VIEW,
        code='got("that a file is there", lambda: os.stat("<<secret>>").st_size)',
        open_on={"landlock": "names, sizes and times of files can be asked for"},
    ),
    Attack(
        id="keys-in-their-usual-places",
        kind=READING,
        layer=VIEW,
        code="""
for path in ("/etc/shadow", "/etc/gshadow", "/root/.ssh/id_rsa", "/root/.bashrc",
        "<<home>>/.bashrc",
        "/root/.aws/credentials", "/etc/machine-id", "/run/secrets",
        "/var/run/docker.sock", "/etc/ssh/ssh_host_rsa_key", "/etc/ssl/private"):
    got(path, read(path))
    got(path, lambda: os.listdir(path) or False)
""",
    ),
    Attack(
        id="environment-of-the-program",
        kind=READING,
        layer="the cleared environment",
        code="""
import subprocess
places = [repr(dict(os.environ)), subprocess.getoutput("env")]
for path in ("/proc/self/environ", f"/proc/{os.getppid()}/environ", "/proc/1/environ"):
    try: places.append(repr(read(path, 1 << 20)()))
    except OSError: pass
got("variable", lambda: any("<<token>>" in text for text in places) or False)
""",
    ),
    Attack(
        id="environment-and-memory-of-other-processes",
        kind=READING,
        layer="the process namespace, or the rules about other processes",
        code="""
host = "/proc/<<victim>>/"
for pid in [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]:
    got("environment", lambda: b"<<token>>" in read(f"/proc/{pid}/environ", 1 << 20)() or False)
    got("memory", read(f"/proc/{pid}/mem"))
    for name in ("map_files", "root", "cwd", "fdinfo"):
        got(name, lambda: os.listdir(f"/proc/{pid}/{name}"))
    for number in range(16):
        got("descriptor", lambda: os.readlink(f"/proc/{pid}/fd/{number}"))
    got("maps", lambda: bool(read(f"/proc/{pid}/maps")()))
for name in ("syscall", "stack", "auxv", "pagemap", "personality", "io"):
    got(name, lambda: bool(read(host + name)()))
""",
    ),
    Attack(
        id="command-lines-of-other-processes",
        kind=READING,
        layer="the process namespace",
        code='got("command line", lambda: bool(read("/proc/<<victim>>/cmdline")()))',
        open_on={"landlock": "command lines of other processes can be read"},
    ),
    Attack(
        id="runner",
        kind=READING,
        layer="the runner's lock against looking in",
        code="""
runner = os.getppid()
for name in ("mem", "environ", "maps", "cwd", "root", *(f"fd/{number}" for number in range(64))):
    for act in (os.readlink, os.listdir, lambda path: read(path, 1)()):
        got(name, lambda: act(f"/proc/{runner}/{name}") or False)
""",
    ),
    Attack(
        id="inherited-descriptors",
        kind=READING,
        layer="descriptors that are closed",
        code="""
for number in range(3, 4096):
    got("descriptor", lambda: number != 3 and stat.S_IFMT(os.fstat(number).st_mode) or False)
    got("what it holds", lambda: b"<<token>>" in os.pread(number, 4096, 0) or False)
""",
    ),
    Attack(
        id="memory-of-the-kernel",
        kind=READING,
        layer=VIEW,
        code="""
for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/proc/kpageflags", "/dev/kmsg",
        "/dev/vda", "/dev/sda", "/proc/kmsg", "/sys/kernel/security", "/sys/kernel/debug/x"):
    got(path, read(path, 1))
def addresses():
    text = open("/proc/kallsyms").read(4096).split()
    return any(int(word, 16) for word in text[::3][:20])
got("addresses of the kernel", addresses)
got("messages of the kernel", lambda: call((103, 116), 3, ctypes.create_string_buffer(99), 99))
""",
    ),
    # -- writing -----------------------------------------------------------------------------------
    Attack(
        id="new-files-outside",
        kind=WRITING,
        layer=VIEW,
        code="""
new = os.O_WRONLY | os.O_CREAT
for path in ("<<outside>>/new", "../new", "/new", "/usr/new", "/usr/lib/new", "/etc/new",
        "/root/new", "/var/tmp/new", os.path.join(sys.base_prefix, "new"), "/dev/new",
        "/usr/lib/python3/dist-packages/new.py", "/proc/new", "/sys/new", "/etc/ld.so.preload"):
    got(path, write(path, flags=new))
    got(path, lambda: os.mkdir(path + "-folder"))
    got(path, lambda: os.symlink("x", path + "-link"))
    got(path, lambda: os.mkfifo(path + "-fifo"))
    got(path, lambda: os.link(__file__, path + "-hard"))
    got(path, lambda: os.rename(__file__, path + "-moved"))
""",
    ),
    Attack(
        id="files-outside",
        kind=WRITING,
        layer=VIEW,
        code="""
there = "<<outside>>/precious"
got("cut", lambda: os.truncate(there, 0))
for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
    got("written", write(there, flags=flags))
got("taken", lambda: os.rename(there, "here"))
got("linked", lambda: os.link(there, "hard"))
got("removed", lambda: os.unlink(there))
got("attributes", lambda: os.setxattr(there, "user.x", b"x"))
got("owner", lambda: os.chown(there, os.getuid(), os.getgid()))
for act in (lambda: os.chmod(there, 0), lambda: os.utime(there, (5, 5)),
        lambda: os.chmod(there, 0o444, follow_symlinks=False)):
    # Landlock's second filter says "done" and does nothing; the test looks at the file.
    try: act()
    except (OSError, NotImplementedError): pass
""",
    ),
    Attack(
        id="python-and-packages",
        kind=WRITING,
        layer=VIEW,
        code="""
new = os.O_WRONLY | os.O_CREAT
for path in (os.__file__, ctypes.__file__, sys.executable, "/bin/sh", "<<layers>>"):
    real = os.path.realpath(path)
    got(real, write(real) if os.path.isfile(real) else (lambda: False))
    got(real, lambda: os.rename(real, real + "-moved"))
    got(real, write(os.path.join(os.path.dirname(real), "sitecustomize.py"), flags=new))
for folder in ("<<layers>>", "<<layers>>/layer"):
    got(folder, write(folder + "/sitecustomize.py", flags=new))
    got(folder, lambda: os.mkdir(folder + "/pip2"))
""",
    ),
    Attack(
        id="poisoned-layers",
        kind=WRITING,
        layer="packages that are shown read-only",
        code="""
new = os.O_WRONLY | os.O_CREAT
seen = 0
for folder, folders, names in os.walk("<<layers>>"):
    got(folder, write(folder + "/json.py", flags=new))
    got(folder, lambda: os.rename(folder, folder + "-moved"))
    for name in names:
        seen += 1
        got(name, write(os.path.join(folder, name), b"import os"))
        got(name, lambda: os.unlink(os.path.join(folder, name)))
if "<<wall>>" != "docker" and not seen:
    print("GOT nothing to poison")
""",
    ),
    Attack(
        id="settings-of-the-kernel",
        kind=WRITING,
        layer="read-only /proc and /sys",
        code="""
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
        "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory", "/sys/kernel/uevent_helper",
        "/sys/power/state", "/proc/sys/fs/binfmt_misc/register", "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/release_agent", "/proc/irq/default_smp_affinity",
        "/proc/sys/kernel/randomize_va_space", "/proc/acpi/wakeup"):
    # Opening is enough to know, and harmless.
    got(path, lambda: os.open(path, os.O_WRONLY))
for name in ("oom_score_adj", "timerslack_ns", "coredump_filter", "clear_refs", "uid_map", "comm"):
    # In a namespace of its own process 1 is the runner, which belongs to the wall.
    for pid in ("<<victim>>", *("1" * ("<<wall>>" == "landlock"))):
        got(f"{name} of {pid}", write(f"/proc/{pid}/{name}", b"1"))
""",
    ),
    Attack(
        id="control-groups",
        kind=WRITING,
        layer=VIEW,
        code="""
for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"):
    got("group", lambda: os.mkdir(folder + "/abuse"))
    got("agent", lambda: os.open(folder + "/release_agent", os.O_WRONLY))
    got("procs", lambda: os.open(folder + "/cgroup.procs", os.O_WRONLY))
os.makedirs("cgroup", exist_ok=True)
got("mount", lambda: call((165, 40), b"cgroup", b"cgroup", b"cgroup2", 0, None))
""",
    ),
    # -- links and files ---------------------------------------------------------------------------
    Attack(
        id="links-to-files-outside",
        kind=LINKS,
        layer="reading without following links",
        code="""
os.symlink("<<secret>>", "a.txt")
os.symlink("<<outside>>", "folder")
os.symlink("/proc/self/environ", "environ.txt")
os.symlink("/", "root")
got("through the link", read("a.txt"))
got("through the folder", read("folder/secret"))
got("hard link", lambda: os.link("<<secret>>", "hard.txt"))
""",
    ),
    Attack(
        id="things-that-are-no-files",
        kind=LINKS,
        layer="reading of regular files only",
        code="""
os.mkfifo("fifo.txt")
with socket.socket(socket.AF_UNIX) if False else open("plain", "w") as file: file.write("x")
got("device", lambda: os.mknod("disk.bin", stat.S_IFBLK | 0o666, os.makedev(254, 0)))
got("device", lambda: os.mknod("mem.bin", stat.S_IFCHR | 0o666, os.makedev(1, 1)))
""",
    ),
    Attack(
        id="set-user-id",
        kind=LINKS,
        layer=FILTER,
        code="""
import shutil
shutil.copyfile("/bin/sh", "sh")
for act in (lambda: os.chmod("sh", 0o4755), lambda: os.chmod("sh", 0o2755),
        lambda: os.close(os.open("new", os.O_CREAT | os.O_WRONLY, 0o4755)),
        lambda: os.close(os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o4755)),
        lambda: os.mknod("node", 0o104755), lambda: os.mkdir("folder", 0o2755),
        lambda: call((452, 452), -100, b"sh", 0o4755, 0)):
    try: act()
    except OSError: pass
for name in ("sh", "new", "node", "folder"):
    got(name, lambda: bool(os.lstat(name).st_mode & 0o6000))
got("capability", lambda: os.setxattr("sh", "security.capability",
    struct.pack("<5I", 0x02000001, 1 << 21, 0, 1 << 21, 0)))
""",
    ),
    Attack(
        id="huge-sparse-file",
        kind=LINKS,
        layer="the limit of a file's size",
        code="""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open("sparse.bin", "wb") as file:
    got("1 TB", lambda: os.truncate(file.fileno(), 1 << 40))
    got("1 TB", lambda: os.posix_fallocate(file.fileno(), 0, 1 << 40))
    got("1 TB", lambda: os.pwrite(file.fileno(), b"x", 1 << 40))
""",
    ),
    Attack(
        id="names-that-deceive",
        kind=LINKS,
        layer="names that are checked and cleaned",
        code=r"""
names = b"a\nb.txt", b"\x1b[2Jc.txt", b"\xff\xfe.txt", b"-rf", b"x" * 255, b"\xe2\x80\xae.txt"
for name in names:
    open(name, "wb").write(b"x")
deep = "."
for _ in range(60):
    deep += "/" + "d" * 60
    got("deep", lambda: os.makedirs(deep, exist_ok=True) or False)
""",
    ),
    Attack(
        id="attributes-and-lists",
        kind=LINKS,
        layer="the file system",
        code="""
open("f", "w").close()
for number in range(2000):
    try: os.setxattr("f", f"user.{number}", b"x" * 60000)
    except OSError: break
got("trusted", lambda: os.setxattr("f", "trusted.x", b"x"))
got("selinux", lambda: os.setxattr("f", "security.evil", b"x"))
got("immutable", lambda: fcntl.ioctl(os.open("f", os.O_RDONLY), 0x40086602, struct.pack("i", 16)))
""",
    ),
    Attack(
        id="swapped-while-the-host-looks",
        kind=LINKS,
        layer="reading without following links",
        code="""
if os.fork() == 0:
    # It ends with the block; for the time of the block names change under the reader.
    for _ in range(3000):
        for target in ("<<secret>>", "/etc/passwd"):
            try:
                os.symlink(target, "t"); os.rename("t", "swapped.txt")
                open("u", "w").close(); os.rename("u", "swapped.txt")
            except OSError: pass
    os._exit(0)
time.sleep(0.2)
""",
    ),
    *(
        Attack(
            id=f"file-name-{number}",
            kind=LINKS,
            layer="names that stay in the work_dir",
            code=f"# filename: {name}\nprint('GOT', __file__)",
            whole=True,
            ends=(1,),
            says=("Filename is not in the workspace", "end"),
        )
        for number, name in enumerate(
            ("../escaped.py", "<<outside>>/escaped.py", "a/../../escaped.py", "/etc/escaped.py")
        )
    ),
    Attack(
        id="code-file-that-is-a-link",
        kind=LINKS,
        layer="writing without following links",
        code="""
for name in ("next.py", "fine.py"):
    os.symlink("<<outside>>/precious", name)
os.makedirs("folder", exist_ok=True); os.symlink("<<outside>>", "folder/link")
""",
    ),
    # -- network -----------------------------------------------------------------------------------
    Attack(
        id="services-of-the-host",
        kind=NETWORK,
        layer="the network namespace, or no sockets",
        code="""
for host in ("127.0.0.1", "localhost", "0.0.0.0"):
    got("TCP", lambda: socket.create_connection((host, <<port>>), timeout=2).getpeername())
got("TCP 6", lambda: socket.create_connection(("::1", <<port6>>), timeout=2).getpeername())
""",
    ),
    Attack(
        id="datagrams-to-the-host",
        kind=NETWORK,
        layer="the network namespace, or no sockets",
        code="""
def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.3)
        one.connect(("127.0.0.1", <<udp>>)); one.send(b"x")
        return one.recv(9)
got("UDP", send)
""",
    ),
    Attack(
        id="any-network",
        kind=NETWORK,
        layer="the network namespace, or no sockets",
        code="""
import socket as s
got("TCP", lambda: s.create_connection(("192.0.2.1", 80), timeout=0.3) and True)
got("UDP", lambda: s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)))
got("multicast", lambda: s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b"x", ("224.0.0.251", 5353)))
got("name", lambda: s.getaddrinfo("example.org", 80))
got("metadata", lambda: s.create_connection(("169.254.169.254", 80), timeout=0.3) and True)
got("fast open", lambda: s.socket(s.AF_INET).sendto(b"x", 0x20000000, ("192.0.2.1", 80)))
""",
    ),
    Attack(
        id="abstract-unix-socket",
        kind=NETWORK,
        layer="the network namespace, or no sockets",
        code="""
def reach(kind):
    with socket.socket(socket.AF_UNIX, kind) as one:
        one.connect("\\0<<abstract>>")
        return True
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    got("abstract socket", lambda: reach(kind))
""",
    ),
    Attack(
        id="unix-socket-with-a-path",
        kind=NETWORK,
        layer=VIEW,
        code="""
for path in ("<<socket>>", "/var/run/docker.sock", "/run/dbus/system_bus_socket"):
    got(path, lambda: socket.socket(socket.AF_UNIX).connect(path))
""",
    ),
    Attack(
        id="other-families",
        kind=NETWORK,
        layer=FILTER,
        code="""
for family in range(1, 50):
    if family in (1, 2, 10): continue
    for kind in (1, 2, 3, 5):
        for protocol in ((0, 1, 3, 9, 12, 15, 16) if family == 16 else (0, 1)):
            if (family, protocol) != (16, 0):
                got(f"family {family}", lambda: socket.socket(family, kind, protocol) and family)
for family, protocol in ((2, 1), (2, 255), (10, 58)):
    got("raw", lambda: socket.socket(family, socket.SOCK_RAW, protocol) and True)
# The upper half of the family is the filter's business, not the kernel's.
got("dirty", lambda: call((41, 198), ctypes.c_ulong((1 << 32) | 40), ctypes.c_ulong(1), 0))
""",
    ),
    Attack(
        id="network-settings",
        kind=NETWORK,
        layer="no capabilities",
        code="""
import subprocess
got("interfaces", lambda: [name for _, name in socket.if_nameindex() if name != "lo"] or False)
def down():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        return fcntl.ioctl(one, 0x8914, b"lo".ljust(16, b"\\0") + bytes(16))
got("loopback down", down)
""",
    ),
    # -- using everything up -----------------------------------------------------------------------
    Attack(
        id="many-processes",
        kind=BOMBS,
        layer="the limit of processes",
        ends=(124, 137, 1),
        timeout_s=5,
        code="""
made = 0
for _ in range(200):
    try: child = os.fork()
    except OSError: break
    if child == 0:
        time.sleep(20); os._exit(0)
    made += 1
time.sleep(0.3)
got("processes", lambda: made if made > 60 else False)
""",
    ),
    Attack(
        id="fork-bomb",
        kind=BOMBS,
        layer="the limit of processes",
        ends=(124, 137),
        timeout_s=1,
        code="while True:\n    try: os.fork()\n    except OSError: pass",
    ),
    Attack(
        id="many-threads",
        kind=BOMBS,
        layer="the limit of processes",
        ends=(1, 137),
        timeout_s=5,
        code="""
import threading
stop, made = threading.Event(), 0
for _ in range(300):
    try: threading.Thread(target=stop.wait, args=(5,), daemon=True).start()
    except RuntimeError: break
    made += 1
time.sleep(0.3)
stop.set()
got("threads", lambda: made if made > 60 else False)
""",
    ),
    Attack(
        id="much-memory",
        kind=BOMBS,
        layer="the limit of memory",
        ends=(1, 137),
        says=("ran out of memory",),
        code="""
held = []
for _ in range(320):
    held.append(b"x" * (1 << 20)); time.sleep(0.001)
time.sleep(0.3)
got("memory", lambda: len(held))
""",
    ),
    Attack(
        id="memory-of-many-processes",
        kind=BOMBS,
        layer="the watch over memory",
        ends=(1, 137),
        says=("ran out of memory",),
        code="""
reader, writer = os.pipe()
for _ in range(5):
    if os.fork() == 0:
        held = b"x" * (60 << 20)
        os.write(writer, b"x")
        time.sleep(20)
for _ in range(5):
    os.read(reader, 1)
# All of it is held at once; the watch has its time, on a busy machine too.
time.sleep(3)
print("GOT memory of many")
""",
    ),
    Attack(
        id="memory-in-files-without-a-name",
        kind=BOMBS,
        layer="the limit of a file's size",
        ends=(1, 137),
        code="""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
kept = []
def fill():
    one = os.memfd_create("x"); kept.append(one)
    for _ in range(320): os.write(one, b"x" * (1 << 20))
    time.sleep(0.3)
    return 320
got("memory", fill)
""",
    ),
    Attack(
        id="memory-that-no-process-shows",
        kind=BOMBS,
        layer="the group around the wall",
        needs_group=True,
        ends=(137,),
        # An engine tells only that it killed, be it the block or, with it, the whole container.
        says=("ran out of memory", "Killed by signal 9", "container broke down and was replaced"),
        code="""
kept = []
for _ in range(14):
    one = os.memfd_create("x"); kept.append(one)
    for _ in range(31): os.write(one, b"x" * (1 << 20))
# The watch has its time, but nothing to see.
time.sleep(0.3)
print("GOT memory in files without a name")
""",
    ),
    Attack(
        id="shared-memory",
        kind=BOMBS,
        layer="the size of /dev/shm, or none",
        ends=(1, 137),
        code="""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill():
    for name in range(10):
        with open(f"/dev/shm/x{name}", "wb") as file:
            for _ in range(32): file.write(b"x" * (1 << 20))
    return 320
got("shared memory", fill)
import mmap
got("System V", lambda: call((29, 194), 1, 64 << 20, 0o1666) if "<<wall>>" == "landlock" else False)
""",
    ),
    Attack(
        id="one-large-file",
        kind=BOMBS,
        layer="the limit of a file's size",
        ends=(1, 137),
        says=("disk limit", "wrote too much"),
        code="""
with open("big", "wb") as file:
    for _ in range(64): file.write(bytes(1 << 20))
print("GOT a large file")
""",
    ),
    Attack(
        id="many-files-fill-the-disk",
        kind=BOMBS,
        layer="the watch over the disk",
        ends=(137,),
        says=("wrote too much",),
        code="""
for number in range(120):
    with open(f"f{number}", "wb") as file:
        file.write(os.urandom(1 << 20)); file.flush(); os.fsync(file.fileno())
time.sleep(1.5)
print("GOT the disk")
""",
        slow=True,
    ),
    Attack(
        id="temporary-folder-fills",
        kind=BOMBS,
        layer="the size of /tmp, or the limit of a file's size",
        ends=(1, 137),
        code="""
import tempfile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill():
    with open(os.path.join(tempfile.gettempdir(), "big"), "wb") as file:
        for _ in range(64): file.write(bytes(1 << 20))
got("temporary files", fill)
""",
    ),
    Attack(
        id="endless-output",
        kind=BOMBS,
        layer="the limit of output and time",
        ends=(124,),
        timeout_s=1,
        code="while True: print('x' * 10000)",
    ),
    Attack(
        id="all-cores",
        kind=BOMBS,
        layer="the limit of time",
        ends=(124,),
        timeout_s=1,
        code="""
for _ in range(3):
    if os.fork() == 0: break
while True: pass
""",
    ),
    # -- staying and killing -----------------------------------------------------------------------
    Attack(
        id="ignored-signals",
        kind=LIFE,
        layer="the limit of time",
        ends=(124,),
        timeout_s=1,
        code="""
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True:
    try: time.sleep(60)
    except BaseException: pass
""",
    ),
    Attack(
        id="stopped",
        kind=LIFE,
        layer="the limit of time",
        ends=(124,),
        timeout_s=1,
        code="os.kill(os.getpid(), signal.SIGSTOP)",
    ),
    Attack(
        id="daemon",
        kind=LIFE,
        layer="the sweep after each block",
        code="""
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True: time.sleep(1)
        os._exit(0)
    os.wait()
""",
    ),
    Attack(
        id="pipe-held-open",
        kind=LIFE,
        layer="the end of a block is its process, not its pipe",
        language="bash",
        whole=True,
        code="sleep 60 & disown; echo end",
        timeout_s=5,
    ),
    Attack(
        id="killing-everything",
        kind=LIFE,
        layer="process 1 of a namespace, or the scope of signals",
        ends=(-9, 137, 255, 143, 124, 1),
        timeout_s=2,
        code="""
me = os.getpid()
for pid in (1, os.getppid(), <<victim>>):
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        try: os.kill(pid, number)
        except OSError: pass
if os.fork() == 0:
    try: os.kill(-1, signal.SIGSTOP)
    except OSError: pass
    try: os.kill(-1, signal.SIGKILL)
    except OSError: pass
""",
    ),
    Attack(
        id="processes-of-the-host",
        kind=LIFE,
        layer="the process namespace, or the scope of signals",
        code="""
host = <<victim>>
# Process 1 of a namespace may be asked whether it is there.
for number in (0, signal.SIGCONT):
    got("signal", lambda: os.kill(host, number) or True)
got("ptrace", lambda: call((101, 117), 16, host, 0, 0))
got("seize", lambda: call((101, 117), 0x4206, host, 0, 0))
got("limits", lambda: resource.prlimit(host, resource.RLIMIT_CPU, (10, 10)))
def pin():
    # The filter may say "done" and do nothing: programs that pin their threads go on.
    os.sched_setaffinity(host, {0})
    return len(os.sched_getaffinity(host)) == 1 < os.cpu_count()
got("affinity", pin)
got("group", lambda: os.setpgid(host, host) or True)
space = ctypes.create_string_buffer(16)
vector = struct.pack("PN", ctypes.addressof(space), 16)
got("memory", lambda: call((310, 270), host, vector, 1, vector, 1, 0))
def take():
    there = os.pidfd_open(host)
    return call((438, 438), there, 0, 0)
got("descriptor", take)
got("signal by descriptor", lambda: signal.pidfd_send_signal(os.pidfd_open(host), 0) or True)
try: os.setpriority(os.PRIO_PROCESS, host, 19)
except OSError: pass
""",
    ),
    Attack(
        id="runner-traced-or-killed",
        kind=LIFE,
        layer="process 1 of a namespace, or the scope of signals",
        code="""
runner = os.getppid()
for number in range(1, 65):
    try: os.kill(runner, number)
    except OSError: pass
got("ptrace", lambda: call((101, 117), 16, runner, 0, 0))
got("memory", lambda: os.open(f"/proc/{runner}/mem", os.O_RDWR))
got("limits", lambda: resource.prlimit(runner, resource.RLIMIT_NOFILE, (3, 3))
    )
for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_DATA, resource.RLIMIT_NPROC):
    got("limits", lambda: resource.prlimit(runner, what, (1, 1)))
def pin():
    # The filter may say "done" and do nothing: programs that pin their threads go on.
    os.sched_setaffinity(runner, {0})
    return len(os.sched_getaffinity(runner)) == 1 < os.cpu_count()
got("affinity", pin)
before = os.getpriority(os.PRIO_PROCESS, runner)
for which, who in ((os.PRIO_PROCESS, runner), (os.PRIO_USER, 0)):
    try: os.setpriority(which, who, 19)
    except OSError: pass
got("priority", lambda: os.getpriority(os.PRIO_PROCESS, runner) != before)
""",
    ),
    Attack(
        id="zombies",
        kind=LIFE,
        layer="orphans that are buried while the block runs",
        timeout_s=20,
        code="""
for _ in range(150):
    for wait in range(200):
        try:
            child = os.fork()
            break
        except OSError: time.sleep(0.01)
    if child == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
""",
        ends=(1, 137),
    ),
    # -- the kernel --------------------------------------------------------------------------------
    Attack(
        id="doors-of-the-kernel",
        kind=KERNEL,
        layer=FILTER,
        code="""
space = ctypes.create_string_buffer(256)
path, empty = b"/", b""
doors = {
    "keyctl": ((250, 219), 0, -3, 1), "add_key": ((248, 217), b"user", b"x", b"x", 1, -3),
    "request_key": ((249, 218), b"user", b"x", 0, -3), "bpf": ((321, 280), 0, space, 48),
    "perf": ((298, 241), space, 0, -1, -1, 0), "io_uring": ((425, 425), 1, space),
    "userfaultfd": ((323, 282), 1), "memfd_secret": ((447, 447), 0),
    "open_by_handle": ((304, 265), -100, space, 0),
    "name_to_handle": ((303, 264), -100, path, space, space, 0),
    "kcmp": ((312, 272), os.getpid(), os.getpid(), 0, 0, 0),
    "process_vm_readv": ((310, 270), os.getpid(), 0, 0, 0, 0, 0), "acct": ((163, 89), 0),
    "swapoff": ((168, 225), path), "reboot": ((169, 142), 0, 0, 0, 0),
    "syslog": ((103, 116), 10, 0, 0),
    "quotactl": ((179, 60), 0, 0, 0, 0), "sethostname": ((170, 161), b"x", 1),
    "clock_settime": ((227, 112), 0, space), "fanotify": ((300, 262), 0, 0),
    "traceme": ((101, 117), 0, 0, 0, 0), "move_pages": ((279, 239), 0, 0, 0, 0, 0, 0),
    "process_madvise": ((440, 440), 0, 0, 0, 0, 0), "pidfd_getfd": ((438, 438), 0, 0, 0),
}
for name, (numbers, *arguments) in doors.items():
    def knock():
        try: return call(numbers, *arguments)
        except OSError as error:
            # Whoever is answered with anything else came past the filter.
            if error.errno in (errno.EPERM, errno.ENOSYS): raise
            return error.strerror, error.errno
    got(name, knock)
""",
    ),
    Attack(
        id="namespaces-and-mounts",
        kind=KERNEL,
        layer=FILTER,
        code="""
spaces = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000,
    "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000, "time": 0x80}
for name, flag in spaces.items():
    got("unshare " + name, lambda: call((272, 97), flag))
    if name != "time":
        def clone():
            child = call((56, 220), flag | 17, 0, 0, 0, 0)
            if child == 0: os._exit(0)
            return child
        got("clone " + name, clone)
    for pid in ("self", "1", "<<victim>>"):
        got("setns " + name, lambda: call((308, 268), os.open(f"/proc/{pid}/ns/{name}", 0), 0))
got("clone3", lambda: call((435, 435), struct.pack("11Q", 0x10000000, *[0] * 3, 17, *[0] * 6), 88))
got("chroot", lambda: os.chroot("."))
for name, numbers, *arguments in (
    ("mount", (165, 40), b"x", b".", b"tmpfs", 0, None),
    ("bind", (165, 40), b"/", b".", None, 4096, None), ("umount", (166, 39), b"/proc", 2),
    ("pivot_root", (155, 41), b".", b"."), ("fsopen", (430, 430), b"tmpfs", 0),
    ("open_tree", (428, 428), -100, b"/", 1), ("fspick", (433, 433), -100, b"/", 0),
    ("move_mount", (429, 429), -100, b"/", -100, b".", 0),
    ("mount_setattr", (442, 442), -100, b"/", 0, bytes(32), 32),
    ("open_tree_attr", (467, 467), -100, b"/", 1, bytes(32), 32),
):
    got(name, lambda: call(numbers, *arguments))
""",
    ),
    Attack(
        id="capabilities-and-ids",
        kind=KERNEL,
        layer="no capabilities and no new privileges",
        code="""
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
    got(name, lambda: int(status[name], 16) or False)
got("new privileges", lambda: status["NoNewPrivs"] != "1")
got("no filter", lambda: status["Seccomp"] != "2")
got("root", lambda: os.getuid() == 0)
for act in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setresuid(0, 0, 0),
        lambda: os.setgroups([0]), lambda: os.setreuid(0, 0)):
    got("id", lambda: act() or True)
got("all capabilities", lambda: call((126, 91), struct.pack("Ii", 0x20080522, 0),
    struct.pack("6I", *[0xFFFFFFFF] * 6)))
before = os.nice(0)
got("nice", lambda: os.nice(-5) < before)
got("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5)) or True)
for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_DATA, resource.RLIMIT_CORE):
    got("larger limits", lambda: resource.setrlimit(what, (-1, -1)) or True)
""",
    ),
    Attack(
        id="terminal-injection",
        kind=KERNEL,
        layer=FILTER,
        code="""
import termios
for number in (0, 1, 2):
    for command in (termios.TIOCSTI, termios.TIOCSTI | (1 << 32), 0x541C):
        def type_in():
            try: return call((16, 29), number, ctypes.c_ulong(command), b"\\x02")
            except OSError as error:
                if error.errno == errno.EPERM: raise
                return error.strerror
        got("terminal", type_in)
got("terminal of the program", lambda: os.open("/dev/tty", os.O_RDWR))
got("console", lambda: os.open("/dev/console", os.O_RDWR) if "<<wall>>" == "landlock" else False)
""",
    ),
    Attack(
        id="devices",
        kind=KERNEL,
        layer=VIEW,
        code="""
for name in ("kvm", "fuse", "net/tun", "loop-control", "loop0", "mapper/control", "vda", "vsock",
        "vhost-vsock", "vhost-net", "uinput", "snapshot", "hwrng", "rtc0", "dri/card0", "nvram",
        "userfaultfd", "cpu/0/msr", "watchdog", "ppp", "autofs", "btrfs-control", "tty0", "vcs"):
    for flags in (os.O_RDONLY, os.O_RDWR):
        got(name, lambda: os.open("/dev/" + name, flags | os.O_NONBLOCK))
""",
    ),
    Attack(
        id="programs-without-a-file",
        kind=KERNEL,
        layer="the wall goes along with every program",
        code="""
one = os.memfd_create("program", 0)
os.write(one, open("/bin/cat", "rb").read())
reader, writer = os.pipe()
if os.fork() == 0:
    os.dup2(writer, 1)
    os.execve(f"/proc/self/fd/{one}", ["cat", "<<secret>>"], {})
os.close(writer); os.wait()
got("file", lambda: os.read(reader, 99) or False)
# Other personalities of the kernel see the same wall.
call((135, 92), 0x0400000)
got("personality", read("<<secret>>"))
""",
    ),
    Attack(
        id="own-memory",
        kind=KERNEL,
        layer="the wall goes along with every program",
        code="""
def rewrite():
    there = os.open("/proc/self/mem", os.O_RDWR)
    with open(os.__file__, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)
    for line in open("/proc/self/maps"):
        if line.rstrip().endswith(os.__file__) and line.split()[1].endswith("s"):
            return os.pwrite(there, b"#", int(line.split("-")[0], 16))
    return False
import mmap
got("shared memory of a file that is read-only", rewrite)
got("file of the host", write(os.__file__))
got("unfiltered", lambda: libc.prctl(22, 0, 0) == 0)
""",
    ),
    # -- deceiving the host ------------------------------------------------------------------------
    Attack(
        id="forged-frames",
        kind=DECEIT,
        layer="the runner's lock against looking in",
        code="""
import glob
result = b'{"code":0,"reason":null,"seconds":0}'
frame = struct.pack(">IB", len(result), ord("x")) + result
runner = os.getppid()
for number in range(3, 300):
    got("descriptor", lambda: os.write(number, frame))
for path in glob.glob(f"/proc/{runner}/fd/*") + glob.glob("/proc/1/fd/*"):
    got(path, write(path, frame))
os.write(1, frame * 3); os.write(2, b"roxa" * 99)
raise SystemExit(3)
""",
        ends=(3,),
    ),
    Attack(
        id="bytes-that-are-no-text",
        kind=DECEIT,
        layer="output that is decoded and cleaned",
        code=r"""
os.write(1, bytes(range(256)) * 4 + b"\0" * 99 + b"\xed\xa0\x80\xff\xfe")
os.write(1, b"\x1b]0;title\x07\x1b[2J\x1b[1;31mred\x1b[8m\x9b31m\r\x08\x1bP+q\x1b\\\xe2\x80\xae")
sys.stdout.flush(); sys.stdout.reconfigure(errors="surrogatepass")
try: print("\ud800")
except ValueError: pass
""",
    ),
    Attack(
        id="hostile-requests-for-packages",
        kind=DECEIT,
        layer="requests that are checked",
        code=r"""
import glob, json
folder = os.path.dirname(os.path.realpath(glob.glob("/run/autogen/ask")[0])) if glob.glob(
    "/run/autogen/ask") else None
lines = [b"\0" * 9000, b"[" * 30000, b"{}", b'{"requirements": [1, null, {"a": 1}]}',
    b'{"requirements": ["--index-url=http://127.0.0.1:1", "-e .", "../x", "x @ file:///etc/passwd"]}']
if folder:
    for line in lines:
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(3); one.connect(folder + "/ask")
                # A descriptor that comes along is nobody's.
                socket.send_fds(one, [line + b"\n"], [0, 1, 2])
                answer = one.recv(4096)
                got("packages", lambda: b'"exit": 0' in answer and b"Success" in answer or False)
        except OSError: pass
    for _ in range(20):
        try:
            globals()[f"held{_}"] = held = socket.socket(socket.AF_UNIX)
            held.settimeout(0.1); held.connect(folder + "/ask")
        except OSError: pass
""",
    ),
    Attack(
        id="work-dir-that-changes-under-the-host",
        kind=DECEIT,
        layer="reading without following links",
        code="""
here = os.getcwd()
got("moved", lambda: os.rename(here, here + "-moved"))
got("replaced", lambda: os.rmdir(here))
for name in ("a", "b"):
    os.makedirs(f"{name}/c", exist_ok=True)
    os.rename(f"{name}/c", f"{name}/d"); os.symlink("<<outside>>", f"{name}/c")
os.chmod(here, 0o700)
""",
    ),
)

BY_ID = {attack.id: attack for attack in ATTACKS}
