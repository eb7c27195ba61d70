/*
 * Preloaded into a server under test: while the file $FULL_DISK exists, whatever would make a file longer fails as on a full disk.
 */
#undef _FILE_OFFSET_BITS /* Both names are wanted, each as itself. */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ssize_t pwrite_function(int fd, const void *bytes, size_t size, off_t at);

static int is_full(int fd) {
    struct stat file;
    const char *path = getenv("FULL_DISK");
    return path != NULL && access(path, F_OK) == 0 && fstat(fd, &file) == 0 &&
           S_ISREG(file.st_mode);
}

static ssize_t pass(const char *name, int fd, const void *bytes, size_t size, off_t at) {
    pwrite_function *real;
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(fd, bytes, size, at);
}

__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *bytes, size_t size,
                                                      off_t at) {
    return pass("pwrite", fd, bytes, size, at);
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *bytes, size_t size,
                                                        off_t at) {
    return pass("pwrite64", fd, bytes, size, at);
}
