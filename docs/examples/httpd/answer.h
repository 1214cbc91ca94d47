/*
 * answer.h - what a connection answers: its routes, its refusals, and a line of the log for each
 *
 * No function here waits. What takes time is left to the connection's loop, which knows how to wait
 * (enum wanted).
 */
#ifndef HTTPD_ANSWER_H
#define HTTPD_ANSWER_H

#include "connection.h"

/* What an answer needs that can't be done without waiting. */
enum wanted { WANT_NOTHING, WANT_FILE, WANT_BODY };

/* Parses to the next event in the input and acts on it. Needs RESPONSE_ROOM in the output. */
enum wanted answer_next(struct connection *self);

/* Refuses a request that has not been read to its end. The rest of the stream can't be
 * understood. */
void answer_refusal(struct connection *self, int status);

/* Gives the memory of a body back. */
void answer_drop_body(struct connection *self);

/* Appends a line to the access log, which the server has. `bytes` are those of the body. */
void answer_log(const struct connection *self, bool is_request, int status, int64_t bytes);

#endif
