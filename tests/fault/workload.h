/*
 * workload.h - a small program that uses everything the reactor and the pool do
 *
 * Start; a TCP echo of a megabyte both ways at once; a file written and read; a pipe waited on;
 * timers; blocking jobs; a signal; a name resolved; stop. Every step takes errors as an application
 * would: it closes what it has, so that its other side ends too. Nothing in it has a time limit of
 * its own.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

/* Runs it. True if all is well: nothing is left (memory of the hooks, descriptors, threads), stop
 * was complete, and what claims to have succeeded is right. `armed` is 1 while weft's calls may be
 * made to fail; *ret_failed counts the steps that ended with an error, -1: the start did. Otherwise
 * says on stderr what is wrong. */
#include <stdbool.h>
#include <stdint.h>

bool workload(uint32_t *armed, int64_t *ret_failed);

#endif
