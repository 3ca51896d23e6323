/* A disk that can lose its power: whenever a file below $DISK is forced to it, $IMAGES/<inode> becomes what the file holds at
   that moment, and for a directory the names in it. What has no image would not survive. A line in $IMAGES/log says that an
   image was made. While the file $HOLD exists, forcing a segment of the spool waits, and makes $HOLD.waits. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* The path of an open file below $DISK. */
static int is_below_disk(int descriptor, char *path, size_t room) {
    char link[64];
    const char *disk = getenv("DISK");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, room - 1);
    if (disk == NULL || length < 0) return 0;
    path[length] = 0;
    return strncmp(path, disk, strlen(disk)) == 0;
}

static void wait_while_held(const char *path) {
    const char *hold = getenv("HOLD");
    if (hold == NULL || strstr(path, ".fspl") == NULL || access(hold, F_OK) != 0) return;
    char waits[4096];
    snprintf(waits, sizeof waits, "%s.waits", hold);
    close(open(waits, O_WRONLY | O_CREAT, 0600));
    while (access(hold, F_OK) == 0) usleep(1000);
}

static void copy_content(int descriptor, int image) {
    static char bytes[1 << 16];
    ssize_t count;
    for (off_t at = 0; (count = pread(descriptor, bytes, sizeof bytes, at)) > 0; at += count)
        if (pwrite(image, bytes, count, at) != count) abort();
}

static void copy_names(const char *path, int image) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) dprintf(image, "%s\n", entry->d_name);
    if (directory != NULL) closedir(directory);
}

static void keep_image(int descriptor) {
    char path[4096], made[4096], name[4096];
    const char *images = getenv("IMAGES");
    struct stat found;
    if (!is_below_disk(descriptor, path, sizeof path) || fstat(descriptor, &found) != 0) return;
    wait_while_held(path);
    pthread_mutex_lock(&one_at_a_time);
    snprintf(made, sizeof made, "%s/new-%d", images, (int)getpid());
    snprintf(name, sizeof name, "%s/%llu", images, (unsigned long long)found.st_ino);
    int image = open(made, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (S_ISDIR(found.st_mode)) copy_names(path, image); else copy_content(descriptor, image);
    close(image);
    snprintf(path, sizeof path, "%s/log", images);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (rename(made, name) != 0) abort();
    dprintf(log, "%llu\n", (unsigned long long)found.st_ino);
    close(log);
    pthread_mutex_unlock(&one_at_a_time);
}

int fdatasync(int descriptor) {
    static int (*real)(int);
    if (real == NULL) real = dlsym(RTLD_NEXT, "fdatasync");
    keep_image(descriptor);
    return real(descriptor);
}

int fsync(int descriptor) {
    static int (*real)(int);
    if (real == NULL) real = dlsym(RTLD_NEXT, "fsync");
    keep_image(descriptor);
    return real(descriptor);
}
