/*
 * bodies.h - the memory of all request bodies together: a limit, and giving it back
 */
#ifndef HTTPD_BODIES_H
#define HTTPD_BODIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bodies {
    size_t        max;
    atomic_size_t held; /* bytes that are allocated for bodies now */
    atomic_size_t peak; /* the most since memory was last given back */
};

/* Before the first thread starts. */
void bodies_init(struct bodies *bodies, size_t max);

/* A body has grown from `before` to `after` bytes, or shrunk; 0 is no body. False: all bodies
 * together are now beyond the limit. The change is counted all the same. Called by tasks. */
bool bodies_resize(struct bodies *bodies, size_t before, size_t after);

#endif
