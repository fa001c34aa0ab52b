#define _GNU_SOURCE
#include "CPosix.h"
#include <pthread.h>
#include <string.h>

void cposix_set_current_thread_name(const char *name) {
    char kept[16] = {0};
    strncpy(kept, name, sizeof kept - 1);
    pthread_setname_np(pthread_self(), kept);
}
