/*
 * notes.h - a service over TLS: it notes each line that a client sends, and answers with its number
 *
 * The part of the program that is ported without a change. It knows neither threads nor weft: where
 * it may block, it calls functions that threads.c and fibers.c define. mbedTLS, which it uses, does
 * the same.
 */
#ifndef PORTING_NOTES_H
#define PORTING_NOTES_H

#include <stddef.h>
#include <stdint.h>

/* Reads the certificate and the key, and sets up TLS. A client that is silent for `idle` ms has
 * ended. 0, or -1: said on standard error. */
int notes_open(const char *certificate, const char *key, uint32_t idle);

/* Returns a socket that listens on a free port of 127.0.0.1, or -1. Prints the port. */
int notes_listen(void);

/* Blocks SIGINT and SIGTERM in the calling thread, and in those that it creates. */
void notes_block_signals(void);

/* Waits for SIGINT or SIGTERM. */
void notes_wait_for_signal(void);

/* Serves a client to its end: the handshake, then its lines. `conn` goes to the functions below. */
void notes_serve(void *conn);

/* ---- what threads.c and fibers.c define ---- */

/* The transport of mbedTLS, with results as mbedtls_ssl_set_bio describes them. */
int notes_send(void *conn, const unsigned char *bytes, size_t size);
int notes_receive(void *conn, unsigned char *to, size_t size, uint32_t ms);

/* Appends a line to the file. Returns its number, from 1, or -1. */
int notes_add(const char *line, size_t size);

#endif
