"""The media child's cage: what is left to a process that only reads descriptors it was handed.

It opens nothing, reaches no network and starts no process: the video and the place for its sound come as
open descriptors, so the Landlock ruleset has no rule at all, and the seccomp filter no call that opens a
path. Where the kernel lacks one, the other still stands.

Landlock takes two calls here, and libseccomp, which knows the calls' numbers on each processor, five
functions. The Python packages for them are either some months old or abandoned (pyseccomp's last release is
of 2021, and it runs ldconfig to find the library), so that both are called with ctypes.
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


# Of fcntl(2) what only concerns the descriptor: others have the kernel send signals to any process.
_DESCRIPTOR_COMMANDS = (
    *(fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD),
    *(fcntl.F_GETFL, fcntl.F_SETFL),
)


class Lacking(Exception):
    """This machine does not offer a part of the cage, which the message names."""


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def enter() -> list[str]:
    """Shut this process in for good; one line for each part that the machine lacks.

    All that is to be imported must have been. Raises RuntimeError with more than one thread, since the
    others would stay outside, and OSError when the kernel refuses what it always has.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("the cage must be entered before any thread is started")
    libc = ctypes.CDLL(None, use_errno=True)
    with suppress(Lacking):
        _libseccomp()  # once it is loaded, it is found again where no file can be opened
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
    """One line for each part of the cage that this machine lacks, found without entering it."""
    lacks = []
    for look in (landlock_abi, _libseccomp):
        try:
            look()
        except Lacking as lack:
            lacks.append(str(lack))
    return lacks


def landlock_abi() -> int:
    """The version of the kernel's Landlock. Raises Lacking."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION))
    if abi < 1:
        raise Lacking(f"Landlock ({os.strerror(ctypes.get_errno())})")
    return abi


def _drop_rights(libc: ctypes.CDLL) -> None:
    """Groups, capabilities, those that a program would bring, and being looked into by others."""
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    with suppress(PermissionError):  # only root may; the service's groups are worth nothing without a socket
        os.setgroups([])
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    with suppress(PermissionError):  # an older unit's filter of calls, under which there is but CAP_LEASE
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
    """Allow the calls that decoding takes; all others fail with EPERM."""
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
    # Its flags lie in memory, which no filter sees. Without it the C library takes clone.
    add("clone3", action=_ERRNO | errno.ENOSYS)
    # The C library's fstat. It may name a path as well, of which it then tells the size and the dates.
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
    """Raises OSError for what libseccomp's functions return, a negative errno."""
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))
