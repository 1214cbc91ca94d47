/*
 * datagrams.c - UDP: single datagrams, batches, multicast, control data
 */
#include "expect.h"
#include <unistd.h>

static weft_datagram *bound(weft_address *ret_address)
{
    weft_datagram *datagram;

    EXPECT(weft_address_parse("127.0.0.1:0", 0, ret_address) == 0);
    EXPECT(weft_datagram_bind(NULL, ret_address, NULL, &datagram) == 0);
    EXPECT(weft_datagram_local_address(datagram, ret_address) == 0); /* with its port */
    return datagram;
}

struct single {
    WEFT_FRAME;
    struct {
        weft_datagram *a, *b;
        weft_address   to_b;
    } in;
    weft_address  from;
    weft_io       io;
    char          buffer[16];
    struct msghdr message;
    struct iovec  data;
};
WEFT_ASYNC(single)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_send_to(&self->io, self->in.a, "ping", 4, &self->in.to_b));
    EXPECT(n == 4);
    WEFT_AWAIT(n, weft_peek_from(&self->io, self->in.b, self->buffer, sizeof self->buffer, NULL));
    EXPECT(n == 4); /* it stays */
    WEFT_AWAIT(n, weft_receive_from(&self->io, self->in.b, self->buffer, 2, &self->from));
    EXPECT(n == 2 && self->io.done == 4); /* 2 bytes are in the buffer, it had 4 */

    /* Answer the sender; from now on b takes datagrams of this peer only. */
    n = weft_datagram_connect(self->in.b, &self->from);
    EXPECT(n == 0 && weft_datagram_peer_address(self->in.b, &self->from) == 0);
    self->data = (struct iovec){.iov_base = (char *)"pong", .iov_len = 4};
    self->message = (struct msghdr){.msg_iov = &self->data, .msg_iovlen = 1};
    WEFT_AWAIT(n, weft_datagram_send_message(&self->io, self->in.b, &self->message, 0));
    EXPECT(n == 4);
    self->data = (struct iovec){.iov_base = self->buffer, .iov_len = sizeof self->buffer};
    WEFT_AWAIT(n, weft_datagram_receive_message(&self->io, self->in.a, &self->message, 0));
    EXPECT(n == 4 && memcmp(self->buffer, "pong", 4) == 0);
    EXPECT(weft_datagram_connect(self->in.b, NULL) == 0);
    WEFT_END(0);
}

struct batch {
    WEFT_FRAME;
    struct {
        weft_datagram *a, *b;
        weft_address   to_b;
    } in;
    weft_io     io;
    weft_packet packets[8];
    char        data[8][4];
};
WEFT_ASYNC(batch)
{
    int64_t n;
    int     i;

    WEFT_BEGIN();
    for (i = 0; i < 8; i++)
        self->packets[i] = (weft_packet){
            .data = memcpy(self->data[i], "abc", 4), .size = 4, .address = self->in.to_b};
    /* One system call sends up to WEFT_BATCH_MOST; the count may be less. */
    WEFT_AWAIT(n, weft_send_batch(&self->io, self->in.a, self->packets, 8));
    EXPECT(n == 8);
    WEFT_AWAIT(n, weft_receive_batch(&self->io, self->in.b, self->packets, 8));
    EXPECT(n >= 1 && self->packets[0].length == 4);
    WEFT_END(0);
}

static void settings(weft_datagram *datagram)
{
    weft_address group;
    int          receive, send;

    EXPECT(weft_datagram_set_broadcast(datagram, true) == 0);
    EXPECT(weft_datagram_set_buffers(datagram, 1 << 16, 0) == 0);
    EXPECT(weft_datagram_buffers(datagram, &receive, &send) == 0 && receive >= 1 << 16);
    EXPECT(weft_datagram_fd(datagram) >= 0);
    EXPECT(weft_datagram_set_multicast_interface(datagram, 0) == 0); /* as the route says */
    EXPECT(weft_datagram_set_multicast_hops(datagram, 1) == 0);    /* not behind the next router */
    EXPECT(weft_datagram_set_multicast_loop(datagram, true) == 0); /* this machine hears it, too */
    EXPECT(weft_address_parse("239.1.2.3", 0, &group) == 0);
    if (weft_datagram_join(datagram, &group, 0) == 0) /* -ENODEV: no interface for it here */
        EXPECT(weft_datagram_leave(datagram, &group, 0) == 0);
}

struct datagrams {
    WEFT_FRAME;
    struct {
    } in;
    weft_datagram *a, *b;
    weft_address   to_a, to_b;
    weft_io        io;
    struct single  single;
    struct batch   batch;
};
WEFT_ASYNC(datagrams)
{
    int64_t n;

    WEFT_BEGIN();
    self->a = bound(&self->to_a);
    self->b = bound(&self->to_b);
    settings(self->a);
    WEFT_CALL(n, single, &self->single, .a = self->a, .b = self->b, .to_b = self->to_b);
    EXPECT(n == 0);
    WEFT_CALL(n, batch, &self->batch, .a = self->a, .b = self->b, .to_b = self->to_b);
    EXPECT(n == 0);

    /* Out of weft, and in again. */
    WEFT_AWAIT(n, weft_datagram_release(&self->io, self->a));
    EXPECT(n >= 0);
    EXPECT(weft_datagram_adopt(NULL, (int)n, &self->a) == 0);
    weft_datagram_close(self->a);
    weft_datagram_close(self->b);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(datagrams);
}
