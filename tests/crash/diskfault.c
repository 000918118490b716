/* A disk that breaks when it is told to: a library to be preloaded (LD_PRELOAD).
 *
 * arm(call, end, times, error): from its times-th call on, "pwrite" or "fdatasync" fails with this
 * errno for every file whose path ends like this. A negative error is a signal, sent to the process
 * in the place of the call. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char armed_call[16], armed_end[64];
static int armed_error;
static atomic_int calls_left, armed;

void arm(const char *call, const char *end, int times, int error) {
    snprintf(armed_call, sizeof armed_call, "%s", call);
    snprintf(armed_end, sizeof armed_end, "%s", end);
    armed_error = error;
    calls_left = times;
    armed = 1;
}

static int ends_with(const char *text, const char *end) {
    size_t long_ = strlen(text), short_ = strlen(end);
    return long_ >= short_ && strcmp(text + long_ - short_, end) == 0;
}

static int concerned(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return ends_with(path, armed_end);
}

static int breaks(const char *call, int fd) {
    if (!armed || strcmp(call, armed_call) != 0 || !concerned(fd)) return 0;
    if (--calls_left > 0) return 0;
    if (armed_error < 0) kill(getpid(), -armed_error);
    errno = armed_error;
    return 1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    return breaks("pwrite", fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    return breaks("fdatasync", fd) ? -1 : real(fd);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    return breaks("fdatasync", fd) ? -1 : real(fd);
}
