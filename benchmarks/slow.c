/* For LD_PRELOAD: a disk on which fdatasync and fsync take SLOW_US microseconds more. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int descriptor)
{
    const char *microseconds = getenv("SLOW_US");
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    if (microseconds)
        usleep(atoi(microseconds));
    return sync(descriptor);
}

int fdatasync(int descriptor) { return slowly("fdatasync", descriptor); }
int fsync(int descriptor) { return slowly("fsync", descriptor); }
