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

#endif
