/*
 * servers.h - what the servers of the benchmarks do beside echoing, the same in all C and C++ ones
 *
 * The peers in other languages have their own: keep them alike.
 */
#ifndef SERVERS_H
#define SERVERS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    SERVER_BUFFER = 16384, /* of each connection */
    SERVER_BACKLOG = 1024,
    SERVER_PIECE = 65536, /* of a stream */
};

/* What a stream repeats: SERVER_PIECE bytes. Call it once. */
static inline void server_fill(char *piece)
{
    for (size_t i = 0; i < SERVER_PIECE; i++)
        piece[i] = (char)(i % 251);
}

/* Of the mix: what a message that begins with 'B' asks for, 2 ms of computing; with 'S', 2 s of
 * sleep in the thread. */
static inline void server_burn(const char *message)
{
    struct timespec begin, now, sleep = {.tv_sec = 2};

    if (message[0] == 'S')
        nanosleep(&sleep, NULL);
    if (message[0] != 'B')
        return;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * INT64_C(1000000000) + now.tv_nsec - begin.tv_nsec <
           INT64_C(2000000));
}

#endif
