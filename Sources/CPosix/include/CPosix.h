#ifndef CPOSIX_H
#define CPOSIX_H

#include <stddef.h>
#include <sys/types.h>

// What glibc declares only under _GNU_SOURCE, which Swift's Glibc module omits.

// Names the calling thread; at most 15 bytes are kept.
void cposix_set_current_thread_name(const char *name);

// Whether reading [offset, offset + length) would find the bytes in the page cache, probed at some pages of it.
// 1: yes; 0: a read would wait for the disk; -1: see errno.
int cposix_is_resident(int fd, off_t offset, size_t length);

// Reads [offset, offset + length) as far as it is in the page cache: the number of bytes, or -1 and errno.
ssize_t cposix_read_resident(int fd, void *buffer, size_t length, off_t offset);

// Brings [offset, offset + length) into the page cache and waits until it is there. 0, or -1 and errno.
int cposix_read_ahead(int fd, off_t offset, size_t length);

// The magic number of the file system that the path is on (statfs(2)), or -1 and errno.
long cposix_file_system_magic(const char *path);

// On how many processors the process may run (its affinity), or -1 and errno.
int cposix_usable_processors(void);

// The width in columns of the terminal that `fd` is; 0 when it does not tell, -1 when it is no terminal.
int cposix_terminal_columns(int fd);

// Takes a connection off a listening socket's queue, which does not block, and is close-on-exec; or -1 and errno. Writes
// the peer's address, a struct sockaddr, into `address`, which has room for `length` bytes.
int cposix_accept(int listener, void *address, unsigned *length);

// A set of descriptors to be waited for (epoll(7)), close-on-exec, or -1 and errno.
int cposix_epoll_create(void);

// Has the set tell of `fd` for as long as there is something to read from it, its end included. 0, or -1 and errno.
int cposix_epoll_add(int epoll, int fd);

// 0, or -1 and errno.
int cposix_epoll_remove(int epoll, int fd);

// Waits until there is something to read, for so many milliseconds at most (-1: for ever); puts the descriptors into
// `ready`, which has room for `capacity`. How many they are, or -1 and errno.
int cposix_epoll_wait(int epoll, int *ready, int capacity, int milliseconds);

// A descriptor that can be read from once it was written to (eventfd(2)), close-on-exec, or -1 and errno.
int cposix_event_descriptor(void);

#endif
