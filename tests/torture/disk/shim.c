/* Between a program and its C library: counts the calls that change the disk below some folders, writes each
 * into a log with its data, and lets some of them fail or one be the last. While they fail the disk is away:
 * what only reads fails and counts as well, and the disk is back after so many calls.
 *
 * A name is logged with the inode of its folder, a file by its inode, so the log can be played back without
 * paths. The folders count as file systems of their own: nothing is renamed or linked from one to another.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOTS 8
#define EXPORT __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
static char roots[ROOTS][512];
static int root_count, log_fd = -1, error_code;
static long calls, fails_at, fails_for, dies_before, dies_after;

/* A name in a folder: which root it is below (-1: none), the folder's inode, its last component. */
struct place { int root; unsigned long folder; const char *name; };

static int root_of(const char *path) {
    for (int i = 0; i < root_count; i++) {
        size_t length = strlen(roots[i]);
        if (!strncmp(path, roots[i], length) && (path[length] == '/' || !path[length])) return i;
    }
    return -1;
}

static int path_of_fd(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return 0;
}

static struct place find(int dir, const char *path) {
    struct place found = {-1, 0, NULL};
    char full[4096], parent[4096];
    struct stat state;
    if (log_fd < 0) return found;
    const char *slash = strrchr(path, '/');
    found.name = slash ? slash + 1 : path;
    if (path[0] == '/') snprintf(full, sizeof full, "%s", path);
    else {
        char here[2048] = "";
        if (dir == AT_FDCWD ? !getcwd(here, sizeof here) : path_of_fd(dir, here, sizeof here) < 0) return found;
        snprintf(full, sizeof full, "%s/%s", here, path);
    }
    if (slash) snprintf(parent, sizeof parent, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    else strcpy(parent, ".");
    if (!fstatat(dir, parent, &state, 0)) found.folder = state.st_ino;
    found.root = root_of(full);
    return found;
}

/* The inode of an open file below a root, else 0. */
static unsigned long below(int fd) {
    char path[4096];
    struct stat state;
    if (log_fd < 0 || fd == log_fd || path_of_fd(fd, path, sizeof path) < 0) return 0;
    if (root_of(path) < 0 || fstat(fd, &state) < 0) return 0;
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, "-shm")) return 0; /* SQLite makes it anew after a crash */
    if (!S_ISREG(state.st_mode) && !S_ISDIR(state.st_mode)) return 0;
    return state.st_ino;
}

static void whole_write(const void *data, size_t size) {
    __typeof__(&write) real = REAL(write);
    while (size) {
        ssize_t done = real(log_fd, data, size);
        if (done < 0) _exit(99);
        data = (const char *)data + done;
        size -= (size_t)done;
    }
}

static void hex(char *into, const char *name) {
    for (; name && *name; name++, into += 2) sprintf(into, "%02x", (unsigned char)*name);
    *into = 0;
}

static void put(const char *what, int error, unsigned long a, unsigned long b, const char *first,
                const char *second, long at, const void *data, size_t size) {
    char line[2600], one[1024], two[1024];
    hex(one, first);
    hex(two, second);
    int length = snprintf(line, sizeof line, "%s %d %lu %lu -%s -%s %ld %zu\n", what, error, a, b, one, two, at,
                          data ? size : 0);
    whole_write(line, (size_t)length);
    if (data) whole_write(data, size);
}

/* A call that failed by itself changed nothing, but counts. */
static void put_nothing(int error) { put("none", error, 0, 0, NULL, NULL, 0, NULL, 0); }

/* Before a call: 1 if it is to fail. */
static int begin(void) {
    pthread_mutex_lock(&one_by_one);
    calls++;
    if (calls == dies_before) _exit(137);
    return fails_at > 0 && calls >= fails_at && calls < fails_at + fails_for;
}

static void end(void) {
    if (calls == dies_after) _exit(137);
    int kept = errno;
    pthread_mutex_unlock(&one_by_one);
    errno = kept;
}

/* Do a call that counts, and log it. RESULT is its value, WHAT the log's word with its operands. */
#define DO(type, call, ...)                                     \
    int fails = begin();                                        \
    type result = fails ? (errno = error_code, (type)-1) : (call); \
    int kept = errno, error = result < 0 ? kept : 0;            \
    if (!error || fails) put(__VA_ARGS__);                      \
    else put_nothing(error);                                    \
    errno = kept;                                               \
    end();                                                      \
    return result

/* Whether the disk is away for what only reads, which then counts as a call that failed. */
static int is_away(int below_root) {
    if (log_fd < 0 || fails_for < 2 || !below_root) return 0;
    pthread_mutex_lock(&one_by_one);
    int away = fails_at > 0 && calls >= fails_at && calls + 1 < fails_at + fails_for;
    if (away) {
        calls++;
        put_nothing(error_code);
        errno = error_code;
    }
    int kept = errno;
    pthread_mutex_unlock(&one_by_one);
    errno = kept;
    return away;
}

EXPORT void torture_arm(int fd, long already, long fail, long many, int code, long before, long after) {
    calls = already; fails_at = fail; fails_for = many; error_code = code; dies_before = before; dies_after = after; log_fd = fd;
}
EXPORT void torture_root(const char *path) { snprintf(roots[root_count++], sizeof roots[0], "%s", path); }
EXPORT void torture_mark(const char *text) {
    if (log_fd < 0) return;
    pthread_mutex_lock(&one_by_one);
    put("mark", 0, 0, 0, NULL, NULL, 0, text, strlen(text));
    pthread_mutex_unlock(&one_by_one);
}

/* Files that are opened: one that is created, or emptied, changes the disk. */
static int opened(int dir, const char *path, int flags, mode_t mode) {
    __typeof__(&openat) real = REAL(openat);
    struct stat before, now;
    struct place at = find(dir, path);
    if (is_away(at.root >= 0)) return -1;
    if (at.root < 0 || !(flags & (O_CREAT | O_TRUNC))) return real(dir, path, flags, mode);
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, "-shm")) return real(dir, path, flags, mode);
    int was = !fstatat(dir, path, &before, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    if (was && !(flags & O_TRUNC)) return real(dir, path, flags, mode);
    int fails = begin();
    int result = fails ? (errno = error_code, -1) : real(dir, path, flags, mode);
    int kept = errno;
    now.st_ino = 0;
    if (result >= 0) fstat(result, &now);
    if (result < 0 && !fails) put_nothing(kept);
    else
        put(was ? "truncate" : "create", fails ? error_code : 0, now.st_ino, was ? 0 : at.folder, at.name, NULL, 0,
            NULL, 0);
    errno = kept;
    end();
    return result;
}

#define OPENS(name, ...)                                        \
    mode_t mode = 0;                                            \
    if (flags & (O_CREAT | __O_TMPFILE)) {                      \
        va_list more;                                           \
        va_start(more, flags);                                  \
        mode = va_arg(more, mode_t);                            \
        va_end(more);                                           \
    }                                                           \
    return opened(__VA_ARGS__, flags, mode)

EXPORT int open(const char *path, int flags, ...) { OPENS(open, AT_FDCWD, path); }
EXPORT int open64(const char *path, int flags, ...) { OPENS(open64, AT_FDCWD, path); }
EXPORT int openat(int dir, const char *path, int flags, ...) { OPENS(openat, dir, path); }
EXPORT int openat64(int dir, const char *path, int flags, ...) { OPENS(openat64, dir, path); }

#define CANNOT_READ (log_fd >= 0 && fails_for > 1 && calls >= fails_at && is_away(below(fd) != 0))
EXPORT ssize_t read(int fd, void *data, size_t size) { return CANNOT_READ ? -1 : REAL(read)(fd, data, size); }
EXPORT ssize_t pread(int fd, void *data, size_t size, off_t at) {
    return CANNOT_READ ? -1 : REAL(pread)(fd, data, size, at);
}
EXPORT ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    return CANNOT_READ ? -1 : REAL(pread64)(fd, data, size, at);
}

static ssize_t written(int fd, const void *data, size_t size, off_t at, int placed) {
    unsigned long inode = below(fd);
    if (!inode) return placed ? REAL(pwrite)(fd, data, size, at) : REAL(write)(fd, data, size);
    if (!placed) {
        struct stat state;
        at = fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &state) ? state.st_size : lseek(fd, 0, SEEK_CUR);
    }
    DO(ssize_t, placed ? REAL(pwrite)(fd, data, size, at) : REAL(write)(fd, data, size), "write", error, inode, 0,
       NULL, NULL, at, data, error ? 0 : (size_t)result);
}
EXPORT ssize_t write(int fd, const void *data, size_t size) { return written(fd, data, size, 0, 0); }
EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return written(fd, data, size, at, 1); }
EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return written(fd, data, size, at, 1); }
EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!below(fd)) return REAL(writev)(fd, parts, count);
    return written(fd, parts[0].iov_base, parts[0].iov_len, 0, 0); /* a short write */
}

static int cut(int fd, off_t size) {
    unsigned long inode = below(fd);
    if (!inode) return REAL(ftruncate)(fd, size);
    DO(int, REAL(ftruncate)(fd, size), "truncate", error, inode, 0, NULL, NULL, size, NULL, 0);
}
EXPORT int ftruncate(int fd, off_t size) { return cut(fd, size); }
EXPORT int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

static int synced(int fd, int (*real)(int)) {
    unsigned long inode = below(fd);
    if (!inode) return real(fd);
    DO(int, real(fd), "sync", error, inode, 0, NULL, NULL, 0, NULL, 0);
}
EXPORT int fsync(int fd) { return synced(fd, REAL(fsync)); }
EXPORT int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

EXPORT int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    struct place a = find(from, old), b = find(to, new);
    if (a.root < 0 && b.root < 0) return REAL(renameat2)(from, old, to, new, flags);
    if (a.root != b.root) { errno = EXDEV; return -1; }
    DO(int, REAL(renameat2)(from, old, to, new, flags), "rename", error, a.folder, b.folder, a.name, b.name, 0, NULL,
       0);
}
EXPORT int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
EXPORT int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

EXPORT int linkat(int from, const char *old, int to, const char *new, int flags) {
    struct place a = find(from, old), b = find(to, new);
    if (a.root < 0 && b.root < 0) return REAL(linkat)(from, old, to, new, flags);
    if (a.root != b.root) { errno = EXDEV; return -1; }
    DO(int, REAL(linkat)(from, old, to, new, flags), "link", error, a.folder, b.folder, a.name, b.name, 0, NULL, 0);
}
EXPORT int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

EXPORT int unlinkat(int dir, const char *path, int flags) {
    struct place at = find(dir, path);
    size_t length = strlen(path);
    if (at.root < 0 || (length > 4 && !strcmp(path + length - 4, "-shm"))) return REAL(unlinkat)(dir, path, flags);
    DO(int, REAL(unlinkat)(dir, path, flags), "unlink", error, at.folder, 0, at.name, NULL, 0, NULL, 0);
}
EXPORT int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
EXPORT int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

EXPORT int mkdirat(int dir, const char *path, mode_t mode) {
    struct place at = find(dir, path);
    struct stat state;
    if (at.root < 0 || !fstatat(dir, path, &state, AT_SYMLINK_NOFOLLOW)) return REAL(mkdirat)(dir, path, mode);
    int fails = begin();
    int result = fails ? (errno = error_code, -1) : REAL(mkdirat)(dir, path, mode);
    int kept = errno;
    state.st_ino = 0;
    if (!result) fstatat(dir, path, &state, 0);
    if (result < 0 && !fails) put_nothing(kept);
    else put("mkdir", fails ? error_code : 0, state.st_ino, at.folder, at.name, NULL, 0, NULL, 0);
    errno = kept;
    end();
    return result;
}
EXPORT int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

EXPORT int fchmod(int fd, mode_t mode) {
    unsigned long inode = below(fd);
    if (!inode) return REAL(fchmod)(fd, mode);
    DO(int, REAL(fchmod)(fd, mode), "chmod", error, inode, 0, NULL, NULL, 0, NULL, 0);
}
