#ifndef CPOSIX_H
#define CPOSIX_H

// What glibc declares only under _GNU_SOURCE, which Swift's Glibc module omits.

// Names the calling thread; at most 15 bytes are kept.
void cposix_set_current_thread_name(const char *name);

#endif
