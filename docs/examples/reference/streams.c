/*
 * streams.c - addresses, listeners, connections, and what can be done with a stream
 */
#include "expect.h"
#include <fcntl.h>
#include <unistd.h>

/* ---- addresses ---- */

static void addresses(void)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];

    EXPECT(weft_address_parse("[::1]:8080", 0, &address) == 0);
    EXPECT(weft_address_port(&address) == 8080);
    EXPECT(strcmp(weft_address_format(&address, text), "[::1]:8080") == 0);
    EXPECT(weft_address_parse("127.0.0.1", 80, &address) == 0); /* the port of the argument */
    EXPECT(weft_address_set_port(&address, 81) == 0 && weft_address_port(&address) == 81);
    EXPECT(weft_address_unix("@abstract", &address) == 0);
    EXPECT(weft_address_port(&address) == 0);
}

/* ---- a server and its client ---- */

struct serve {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_stream *stream;
    weft_io      io;
    char         text[16];
};
WEFT_ASYNC(serve)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
    if (n < 0)
        WEFT_RETURN(n);
    /* Exactly 5 bytes; WEFT_EOF if the peer ends before. */
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->stream, self->text, 5));
    EXPECT(n == 5);
    WEFT_AWAIT(n, weft_write_all(&self->io, self->stream, self->text, 5));
    EXPECT(n == 5);
    weft_stream_close(self->stream);
    WEFT_END(0);
}

static void options(weft_stream *stream)
{
    const weft_keep_alive keep = {.idle = WEFT_S(60), .interval = WEFT_S(10), .count = 3};
    weft_address          here, there;
    int                   receive, send, flag;
    socklen_t             size = sizeof flag;

    EXPECT(weft_stream_set_no_delay(stream, true) == 0);
    EXPECT(weft_stream_set_keep_alive(stream, &keep) == 0);
    EXPECT(weft_stream_set_buffers(stream, 1 << 16, 1 << 16) == 0);
    EXPECT(weft_stream_buffers(stream, &receive, &send) == 0 && send >= 1 << 16);
    EXPECT(weft_stream_local_address(stream, &here) == 0);
    EXPECT(weft_stream_peer_address(stream, &there) == 0);
    /* For options that weft has no call for. weft still owns the descriptor. */
    EXPECT(getsockopt(weft_stream_fd(stream), SOL_SOCKET, SO_REUSEADDR, &flag, &size) == 0);
    EXPECT(weft_stream_set_eager(stream, true) == 0);
    /* Closing it will send a reset instead of what is still queued. */
    EXPECT(weft_stream_set_reset(stream, true) == 0);
    EXPECT(weft_stream_set_reset(stream, false) == 0);
}

struct client {
    WEFT_FRAME;
    struct {
    } in;
    weft_listener *listener;
    weft_stream   *stream;
    weft_address   address;
    weft_handle    server;
    weft_io        io;
    char           text[16];
};
WEFT_ASYNC(client)
{
    int64_t n;

    WEFT_BEGIN();
    /* Port 0: any free one; weft_listener_address says which. */
    n = weft_address_parse("127.0.0.1:0", 0, &self->address);
    if (n == 0)
        n = weft_listen(NULL, &self->address,
                        &(weft_listen_options){.backlog = 16, .no_delay = true}, &self->listener);
    EXPECT(n == 0);
    EXPECT(weft_listener_address(self->listener, &self->address) == 0);
    EXPECT(weft_listener_fd(self->listener) >= 0);
    EXPECT(weft_spawn(&self->server, serve, .listener = self->listener) == 0);

    WEFT_AWAIT(n, weft_connect(&self->io, &self->address, &self->stream));
    EXPECT(n == 0);
    options(self->stream);
    WEFT_AWAIT(n, weft_write(&self->io, self->stream, "hello", 5)); /* at least one byte */
    EXPECT(n == 5);
    WEFT_AWAIT(n, weft_peek(&self->io, self->stream, self->text, sizeof self->text));
    EXPECT(n > 0); /* they are still there for the next read */
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->stream, self->text, 5));
    EXPECT(n == 5 && memcmp(self->text, "hello", 5) == 0);
    WEFT_AWAIT(n, weft_read(&self->io, self->stream, self->text, sizeof self->text));
    EXPECT(n == 0); /* the end of the stream */
    weft_stream_close(self->stream);
    weft_listener_close(self->listener);
    WEFT_AWAIT(n, weft_join(&self->server));
    WEFT_END(n);
}

/* ---- pieces, halves, descriptors ---- */

struct pieces {
    WEFT_FRAME;
    struct {
    } in;
    weft_stream *a, *b, *reader, *writer;
    weft_io      io, other;
    struct iovec vector[2];
    char         first[3], second[8];
};
WEFT_ASYNC(pieces)
{
    int64_t n;

    WEFT_BEGIN();
    EXPECT(weft_stream_pair(NULL, &self->a, &self->b) == 0);
    self->vector[0] = (struct iovec){.iov_base = (char *)"abc", .iov_len = 3};
    self->vector[1] = (struct iovec){.iov_base = (char *)"defg", .iov_len = 4};
    WEFT_AWAIT(n, weft_writev(&self->io, self->a, self->vector, 2));
    EXPECT(n == 7);
    self->vector[0] = (struct iovec){.iov_base = self->first, .iov_len = sizeof self->first};
    self->vector[1] = (struct iovec){.iov_base = self->second, .iov_len = sizeof self->second};
    WEFT_AWAIT(n, weft_readv(&self->io, self->b, self->vector, 2));
    EXPECT(n == 7 && memcmp(self->second, "defg", 4) == 0);

    /* At once or not at all. */
    EXPECT(weft_stream_try_read(self->b, self->second, sizeof self->second) == -EAGAIN);
    EXPECT(weft_stream_try_write(self->a, "x", 1) == 1);
    EXPECT(weft_stream_try_read(self->b, self->second, sizeof self->second) == 1);

    /* A Unix socket has no zero copy: this one is a plain write. */
    WEFT_AWAIT(n, weft_write_zero_copy(&self->io, self->a, "0123456789", 10));
    EXPECT(n == 10);

    /* One task reads, another one writes, each with a handle of its own. */
    EXPECT(weft_stream_split(self->b, &self->reader, &self->writer) == 0);
    WEFT_AWAIT(n, weft_read(&self->io, self->reader, self->second, sizeof self->second));
    EXPECT(n == 8);
    weft_stream_close(self->writer); /* sends the end of the stream */
    weft_stream_close(self->reader);
    EXPECT(weft_stream_shutdown(self->a, SHUT_WR) == 0);
    weft_stream_close(self->a);
    WEFT_END(0);
}

/* Passes a descriptor over a Unix socket, and reads from the other end of it. */
struct pass {
    WEFT_FRAME;
    struct {
    } in;
    weft_stream  *a, *b;
    weft_io       io;
    int           pipe[2], received;
    struct msghdr message;
    struct iovec  data;
    char          byte;
    union {
        size_t align;
        char   room[CMSG_SPACE(sizeof(int))];
    } control;
};

static void carry(struct pass *self, int fd)
{
    struct cmsghdr *part;

    self->data = (struct iovec){.iov_base = &self->byte, .iov_len = 1};
    self->message = (struct msghdr){.msg_iov = &self->data,
                                    .msg_iovlen = 1,
                                    .msg_control = self->control.room,
                                    .msg_controllen = sizeof self->control.room};
    part = CMSG_FIRSTHDR(&self->message);
    *part = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(part), &fd, sizeof fd);
}

WEFT_ASYNC(pass)
{
    weft_stream *stream;
    int64_t      n;

    WEFT_BEGIN();
    EXPECT(weft_stream_pair(NULL, &self->a, &self->b) == 0 && pipe2(self->pipe, O_CLOEXEC) == 0);
    carry(self, self->pipe[0]);
    WEFT_AWAIT(n, weft_send_message(&self->io, self->a, &self->message, 0));
    EXPECT(n == 1);
    self->message.msg_controllen = sizeof self->control.room;
    WEFT_AWAIT(n, weft_receive_message(&self->io, self->b, &self->message, 0));
    EXPECT(n == 1);
    memcpy(&self->received, CMSG_DATA(CMSG_FIRSTHDR(&self->message)), sizeof self->received);
    weft_stream_close(self->a);
    weft_stream_close(self->b);

    /* A descriptor becomes a stream, and a stream a descriptor. */
    EXPECT(write(self->pipe[1], "!", 1) == 1);
    EXPECT(weft_stream_adopt(NULL, self->received, &stream) == 0);
    self->a = stream;
    WEFT_AWAIT(n, weft_read(&self->io, self->a, &self->byte, 1));
    EXPECT(n == 1 && self->byte == '!');
    WEFT_AWAIT(n, weft_stream_release(&self->io, self->a));
    EXPECT(n == self->received);
    close(self->received);
    close(self->pipe[0]);
    close(self->pipe[1]);
    WEFT_END(0);
}

/* A listener that another process may have opened (systemd, for example), and that is passed on to
 * the next one. */
struct inherit {
    WEFT_FRAME;
    struct {
    } in;
    weft_listener *listener;
    weft_io        io;
    int            fd;
};
WEFT_ASYNC(inherit)
{
    int64_t n;

    WEFT_BEGIN();
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(self->fd >= 0 && listen(self->fd, 16) == 0);
    EXPECT(weft_listener_adopt(NULL, self->fd, &self->listener) == 0);
    WEFT_AWAIT(n, weft_listener_release(&self->io, self->listener));
    EXPECT(n == self->fd);
    close(self->fd);
    WEFT_END(0);
}

struct streams {
    WEFT_FRAME;
    struct {
    } in;
    struct client  client;
    struct pieces  pieces;
    struct pass    pass;
    struct inherit inherit;
};
WEFT_ASYNC(streams)
{
    int64_t n;

    WEFT_BEGIN();
    addresses();
    WEFT_CALL(n, client, &self->client);
    EXPECT(n == 0);
    WEFT_CALL(n, pieces, &self->pieces);
    EXPECT(n == 0);
    WEFT_CALL(n, pass, &self->pass);
    EXPECT(n == 0);
    WEFT_CALL(n, inherit, &self->inherit);
    WEFT_END(n);
}

int main(void)
{
    return weft_main(streams);
}
