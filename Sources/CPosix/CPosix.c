#define _GNU_SOURCE
#include "CPosix.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

void cposix_set_current_thread_name(const char *name) {
    char kept[16] = {0};
    strncpy(kept, name, sizeof kept - 1);
    pthread_setname_np(pthread_self(), kept);
}

// The kernel reads ahead, and evicts, in runs much longer than a page: one probe in 256 KiB finds most holes, and what it
// misses costs one wait for the disk.
static const off_t probe_stride = 256 << 10;

// 1, 0 or -1 like cposix_is_resident, for the one byte at `offset`. A byte past the end is no reason to wait.
static int probe(int fd, off_t offset) {
    char byte;
    struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    ssize_t count;
    do {
        count = preadv2(fd, &vector, 1, offset, RWF_NOWAIT);
    } while (count < 0 && errno == EINTR);
    if (count >= 0) return 1;
    return errno == EAGAIN ? 0 : -1;
}

// For file systems without RWF_NOWAIT (overlayfs, older tmpfs): asks the page cache through a mapping.
static int is_resident_by_mapping(int fd, off_t offset, size_t length) {
    struct stat status;
    if (fstat(fd, &status) < 0) return -1;
    if (offset >= status.st_size) return 1;
    if ((off_t)length > status.st_size - offset) length = (size_t)(status.st_size - offset);
    const off_t page = sysconf(_SC_PAGESIZE);
    const off_t start = offset - offset % page;
    const size_t mapped = (size_t)(offset - start) + length;
    unsigned char *base = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, start);
    if (base == MAP_FAILED) return -1;
    int answer = 1;
    for (size_t at = 0; at < mapped && answer == 1; at += (size_t)probe_stride) {
        unsigned char state = 0;
        if (mincore(base + at, 1, &state) < 0) answer = -1;
        else if ((state & 1) == 0) answer = 0;
    }
    munmap(base, mapped);
    return answer;
}

int cposix_is_resident(int fd, off_t offset, size_t length) {
    if (length == 0) return 1;
    const off_t last = offset + (off_t)length - 1;
    for (off_t at = offset; at < last; at += probe_stride) {
        const int answer = probe(fd, at);
        if (answer < 0 && errno == EOPNOTSUPP) return is_resident_by_mapping(fd, offset, length);
        if (answer != 1) return answer;
    }
    const int answer = probe(fd, last);
    if (answer < 0 && errno == EOPNOTSUPP) return is_resident_by_mapping(fd, offset, length);
    return answer;
}

ssize_t cposix_read_resident(int fd, void *buffer, size_t length, off_t offset) {
    struct iovec vector = {.iov_base = buffer, .iov_len = length};
    ssize_t count;
    do {
        count = preadv2(fd, &vector, 1, offset, RWF_NOWAIT);
    } while (count < 0 && errno == EINTR);
    return count;
}

int cposix_read_ahead(int fd, off_t offset, size_t length) {
    // Starts the reads; a file system that cannot do it (EINVAL) still serves the reads below.
    (void)readahead(fd, offset, length);
    const off_t page = sysconf(_SC_PAGESIZE);
    const off_t end = offset + (off_t)length;
    // A byte of each page waits for that page and copies nothing to speak of.
    for (off_t at = offset; at < end; at = at - at % page + page) {
        char byte;
        ssize_t count;
        do {
            count = pread(fd, &byte, 1, at);
        } while (count < 0 && errno == EINTR);
        if (count < 0) return -1;
        if (count == 0) return 0;
    }
    return 0;
}

long cposix_file_system_magic(const char *path) {
    struct statfs status;
    if (statfs(path, &status) < 0) return -1;
    return (long)status.f_type;
}

int cposix_usable_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return -1;
    return CPU_COUNT(&set);
}

int cposix_terminal_columns(int fd) {
    if (!isatty(fd)) return -1;
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return 0;
    return size.ws_col;
}

int cposix_accept(int listener, void *address, unsigned *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int cposix_epoll_create(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

int cposix_epoll_add(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int cposix_epoll_remove(int epoll, int fd) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

int cposix_epoll_wait(int epoll, int *ready, int capacity, int milliseconds) {
    struct epoll_event events[256];
    int most = capacity < 256 ? capacity : 256;
    int count = epoll_wait(epoll, events, most, milliseconds);
    for (int i = 0; i < count; i++) ready[i] = events[i].data.fd;
    return count;
}

int cposix_event_descriptor(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
