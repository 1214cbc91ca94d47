/*
 * send.h - sending to a client that may be slow: what counts is progress, not time
 *
 * weft_timeout around a write is not enough. The kernel reports room in a socket only once a third
 * of its buffer is free, which takes a slow reader long, and says nothing of bytes that arrive
 * meanwhile. So the connection writes with a limit of a SEND_STEPS-th of its patience, and calls
 * send_rest when that has passed. A client that takes a byte now and then would keep its connection
 * and its buffers for ever, so the progress needs a rate, too.
 */
#ifndef HTTPD_SEND_H
#define HTTPD_SEND_H

#include <weft.h>

#define SEND_STEPS 4 /* looks at the progress within the patience */

/* How many bytes wait in the socket until the peer has them. This doesn't block. */
int send_queued(weft_stream *conn);

/* Sends the rest: an async function. It continues as long as bytes are sent or the peer
 * acknowledges some, for `patience` and a second for each `rate` bytes that the peer has taken.
 * Result: 0; -ETIMEDOUT: that time is over, or nothing has moved for `patience`, or a quarter more;
 * or -errno. */
struct send_rest {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
        const char  *bytes; /* borrowed */
        size_t       size;
        int64_t      patience, rate;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    int                 queued; /* bytes that the peer has not acknowledged, at the last look */
    int64_t             moved;  /* when something last moved */
    int64_t             begun;
    int64_t             owed; /* bytes that the peer had not acknowledged then */
};
WEFT_DECLARE_EXTERN(send_rest);

#endif
