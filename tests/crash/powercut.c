/* What a power cut would undo, noted before it is done: a library to be preloaded (LD_PRELOAD).
 *
 * The model is the strictest that POSIX allows. What was written to a file since its last fsync or
 * fdatasync may be lost, and a new name in a folder is lost until that folder is synced.
 * powercut.py undoes what is noted, in a folder for notes, of every file whose path begins so:
 *
 *   POWERCUT_NOTES/names      "+PATH" for each new name, "=FOLDER" for each folder that was synced
 *   POWERCUT_NOTES/!a!b!c     of /a/b/c, a record for each write since its last sync: the file's
 *                             size, the offset and the number of old bytes, then these
 *
 * A file has one writer at a time, which is not the case for folders. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(type, name, ...)                          \
    static type (*real)(__VA_ARGS__);                  \
    if (!real) real = dlsym(RTLD_NEXT, name)

static ssize_t really_write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, bytes, count);
}

static int really_open(const char *path, int flags) {
    REAL(int, "open64", const char *, int, ...);
    return real(path, flags, 0644);
}

/* Memory that is shared is nothing that a disk has. */
static int watched(const char *path) {
    const char *begin = getenv("POWERCUT_WATCH"), *end = strrchr(path, '-');
    if (!begin || (end && strcmp(end, "-shm") == 0)) return 0;
    return strncmp(path, begin, strlen(begin)) == 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return watched(path);
}

static void append(const char *name, int flags, const void *bytes, size_t count) {
    char path[2 * PATH_MAX], *letter = path;
    letter += snprintf(path, sizeof path, "%s/", getenv("POWERCUT_NOTES"));
    strcpy(letter, name);
    for (; *letter; letter++)
        if (*letter == '/') *letter = '!';
    int fd = really_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags);
    if (fd < 0 || really_write(fd, bytes, count) != (ssize_t)count) abort();
    close(fd);
}

static void note_name(char sign, const char *path) {
    char line[PATH_MAX + 3];
    int length = snprintf(line, sizeof line, "%c%s\n", sign, path);
    append("names", 0, line, length);
}

static void note_new(const char *path) {
    note_name('+', path);
    append(path, O_TRUNC, "", 0);
}

static void note_change(int fd, off64_t offset, size_t count) {
    char path[PATH_MAX];
    struct stat64 status;
    if (!path_of(fd, path) || fstat64(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
    off64_t there = status.st_size - offset;
    int64_t old = there <= 0 ? 0 : there < (off64_t)count ? there : (off64_t)count;
    int64_t head[3] = {status.st_size, offset, old};
    char *record = malloc(sizeof head + old);
    memcpy(record, head, sizeof head);
    if (old && pread64(fd, record + sizeof head, old, offset) != old) abort();
    append(path, 0, record, sizeof head + old);
    free(record);
}

static void note_sync(int fd) {
    char path[PATH_MAX];
    struct stat64 status;
    if (!path_of(fd, path) || fstat64(fd, &status) != 0) return;
    if (S_ISDIR(status.st_mode))
        note_name('=', path);
    else
        append(path, O_TRUNC, "", 0);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    note_change(fd, offset, count);
    return real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    off64_t end = fcntl(fd, F_GETFL) & O_APPEND ? lseek64(fd, 0, SEEK_END) : -1;
    off64_t offset = end < 0 ? lseek64(fd, 0, SEEK_CUR) : end;
    if (offset >= 0) note_change(fd, offset, count);
    return really_write(fd, bytes, count);
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    struct stat64 status;
    int shrinks = fstat64(fd, &status) == 0 && status.st_size > size;
    note_change(fd, size, shrinks ? status.st_size - size : 0);
    return real(fd, size);
}

int ftruncate(int fd, off_t size) {
    return ftruncate64(fd, size);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    int failed = real(fd);
    if (!failed) note_sync(fd);
    return failed;
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    int failed = real(fd);
    if (!failed) note_sync(fd);
    return failed;
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    char whole[PATH_MAX];
    int failed = real(path, mode);
    if (!failed && realpath(path, whole) && watched(whole)) note_name('+', whole);
    return failed;
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    char whole[PATH_MAX];
    int new = flags & O_CREAT && access(path, F_OK) != 0;
    int fd = real(path, flags, mode);
    if (new && fd >= 0 && path_of(fd, whole)) note_new(whole);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}
