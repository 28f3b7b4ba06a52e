"""The media child's cage: what the kernel leaves to a process that only reads descriptors it was handed.

It opens no file, reaches no network and starts no process: the video and the file for its sound come as open
descriptors, so that the Landlock ruleset allows nothing, and the seccomp filter no call that opens a path.
If the kernel lacks one of them, the other still holds.

Both are called with ctypes: two calls for Landlock, and five functions of libseccomp, which knows the numbers
of calls on each processor. The Python packages for them are either some months old or abandoned (pyseccomp's
last release is of 2021, and it runs ldconfig to find the library).
"""

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h

# linux/landlock.h; the numbers of the calls are the same on every processor.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION = 1
_FILES_BY_ABI = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NETWORK = 0b11  # bind and connect of TCP, from ABI 4 on
_SCOPES = 0b11  # abstract Unix sockets and signals, from ABI 6 on

_LIBSECCOMP = "libseccomp.so.2"
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # seccomp.h, SCMP_ACT_...
_EQUAL, _MASKED_EQUAL = 4, 7  # SCMP_CMP_...
_AT_EMPTY_PATH = 0x1000
_CLONE_THREAD = 0x10000
_CALLS = (
    "read readv pread64 preadv write writev pwrite64 lseek _llseek close fstat fstat64 ftruncate ftruncate64 "
    "dup recvmsg poll ppoll ppoll_time64 "
    "mmap mmap2 munmap mprotect mremap madvise brk "
    "futex futex_time64 futex_waitv set_robust_list get_robust_list rseq set_tid_address membarrier "
    "sched_yield sched_getaffinity exit exit_group restart_syscall "
    "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack "
    "clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64 "
    "nanosleep gettimeofday time getrusage times getrandom "
    "getpid gettid getppid getuid geteuid getgid getegid getrlimit ugetrlimit setrlimit sysinfo uname"
).split()


# The commands of fcntl(2) for the descriptor itself: others make the kernel send signals to any process.
_DESCRIPTOR_COMMANDS = (
    *(fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD),
    *(fcntl.F_GETFL, fcntl.F_SETFL),
)


class Lacking(Exception):
    """This machine lacks a part of the cage, which the message names."""


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def enter() -> list[str]:
    """Confine this process for good. Returns one line for each part that the machine lacks.

    Every import must be done before. Raises RuntimeError with more than one thread, since the others would
    stay outside, and OSError when the kernel refuses what every kernel has.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("the cage must be entered before any thread is started")
    libc = ctypes.CDLL(None, use_errno=True)
    with suppress(Lacking):
        _libseccomp()  # loaded now, since no file can be opened later
    _drop_rights(libc)
    lacks = []
    steps: tuple[Callable[[ctypes.CDLL], None], ...] = (_forbid_files, _filter_calls)
    for step in steps:
        try:
            step(libc)
        except Lacking as lack:
            lacks.append(str(lack))
    return lacks


def lacking() -> list[str]:
    """One line for each part of the cage that this machine lacks, without entering it."""
    lacks = []
    for look in (landlock_abi, _libseccomp):
        try:
            look()
        except Lacking as lack:
            lacks.append(str(lack))
    return lacks


def landlock_abi() -> int:
    """The kernel's version of Landlock. Raises Lacking."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION))
    if abi < 1:
        raise Lacking(f"Landlock ({os.strerror(ctypes.get_errno())})")
    return abi


def _drop_rights(libc: ctypes.CDLL) -> None:
    """Drop groups and capabilities, gain none by executing a program, and be traced by nobody."""
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    with suppress(PermissionError):  # only root may; without files the service's groups allow nothing
        os.setgroups([])
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    with suppress(PermissionError):  # an older unit's filter of calls; it leaves only CAP_LEASE anyway
        _checked(libc.capset(header, (ctypes.c_uint32 * 6)()))
    _checked(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def _forbid_files(libc: ctypes.CDLL) -> None:
    abi = landlock_abi()
    files = sum(rights for since, rights in _FILES_BY_ABI.items() if since <= abi)
    handled = [files, *([_NETWORK] if abi >= 4 else []), *([_SCOPES] if abi >= 6 else [])]
    attribute = (ctypes.c_uint64 * len(handled))(*handled)
    size = ctypes.c_size_t(ctypes.sizeof(attribute))
    try:
        ruleset = _checked(libc.syscall(_LANDLOCK_CREATE_RULESET, attribute, size, 0))
        try:
            _checked(libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
        finally:
            os.close(ruleset)
    except OSError as exc:
        raise Lacking(f"Landlock ({exc.strerror})") from exc


def _libseccomp() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBSECCOMP)
    except OSError as exc:
        raise Lacking(f"seccomp ({_LIBSECCOMP} is not installed)") from exc
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def _filter_calls(libc: ctypes.CDLL) -> None:
    """Allow the calls that decoding needs; all others fail with EPERM."""
    library = _libseccomp()
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))

    def add(call: str, *comparisons: _Comparison, action: int = _ALLOW) -> None:
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # else this processor, or this library, has no such call
            array = (_Comparison * len(comparisons))(*comparisons)
            _granted(library.seccomp_rule_add_array(rules, action, number, len(array), array))

    for call in _CALLS:
        add(call)
    for call in ("fcntl", "fcntl64"):
        for command in _DESCRIPTOR_COMMANDS:
            add(call, _Comparison(1, _EQUAL, command, 0))
    add("clone", _Comparison(0, _MASKED_EQUAL, _CLONE_THREAD, _CLONE_THREAD))
    # Its flags are in memory, which no filter can read. Without it the C library uses clone.
    add("clone3", action=_ERRNO | errno.ENOSYS)
    # The C library's fstat. With a path as well, it can only tell size and dates of that file.
    add("newfstatat", _Comparison(3, _EQUAL, _AT_EMPTY_PATH, 0))
    add("prlimit64", _Comparison(0, _EQUAL, 0, 0))
    add("tgkill", _Comparison(0, _EQUAL, os.getpid(), 0))  # abort(3)
    try:
        _granted(library.seccomp_load(rules))
    except OSError as exc:
        raise Lacking(f"seccomp ({exc.strerror})") from exc
    finally:
        library.seccomp_release(rules)


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _granted(answer: int) -> None:
    """Raise OSError if a function of libseccomp returned a negative errno."""
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))
