/* A disk that does not answer: reads and writes in the spool, and making it, wait for as long as the file $HANG exists.
   For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_while_it_hangs(void) {
    const char *hang = getenv("HANG");
    while (hang != NULL && access(hang, F_OK) == 0) usleep(10000);
}

static void wait_for_disk(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strstr(path, "/spool/") != NULL) wait_while_it_hangs();
}

int mkdir(const char *path, mode_t mode) {
    static int (*real)(const char *, mode_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "mkdir");
    if (strstr(path, "/spool") != NULL) wait_while_it_hangs();
    return real(path, mode);
}

ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "pread64");
    wait_for_disk(descriptor);
    return real(descriptor, bytes, count, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
    wait_for_disk(descriptor);
    return real(descriptor, bytes, count, offset);
}
