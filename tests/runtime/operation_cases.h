/*
 * operation_cases.h - for each row of the table: how to begin the operation on a stage (streams,
 * pipes, files), how to let it end if it waits, and how to release its result
 */
#ifndef OPERATION_CASES_H
#define OPERATION_CASES_H

#include "../sockets.h"

#include "kernel_operation.h"
#include "socket_operation.h"

#include <linux/tcp.h> /* libc's tcp_info has no window */
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SIZE 64 /* bytes to move */

typedef struct stage {
    weft_runtime  *rt;
    char           path[64]; /* of the directory */
    int            dir, file, extra;
    int            peer, full_peer; /* the streams' other ends */
    weft_stream   *stream, *full, *granted;
    weft_listener *listener;
    weft_address   address;
    int            connected;          /* a client of the listener, or -1 */
    int            pipe[2], packed[2]; /* empty; full */
    char           buffer[SIZE];
    struct iovec   vector[2];
    struct msghdr  message;
    weft_datagram *datagram, *sender; /* UDP; Unix, connected to the full `receiver` */
    weft_address   datagram_address, receiver_address;
    weft_packet    packet;
    int            receiver;
    struct statx   status;
} stage;

typedef struct row_case {
    const char *name;
    weft_future *(*begin)(stage *s, weft_io *io);
    int64_t result;                         /* once it is done; -1: anything >= 0 */
    void (*let_go)(stage *s);               /* it waits, until this */
    void (*give_back)(stage *s, bool done); /* what it granted, if it is done */
    size_t (*left)(stage *s);               /* reads: how many bytes have not been taken */
} row_case;

/* ---- the stage ---- */

static void set_blocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    check_eq(fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

/* Whether there was any room. */
static bool fill(int fd)
{
    static const char zeros[65536];
    bool              any = false;

    set_blocking(fd, false);
    while (write(fd, zeros, sizeof zeros) > 0 || write(fd, zeros, 1) > 0)
        any = true;
    check_eq(errno, EAGAIN);
    return any;
}

/* A connection with small buffers at both ends, so that it is soon full; returns the plain end. */
static int narrow_pair(weft_runtime *rt, weft_stream **ret)
{
    weft_address address;
    weft_io      io;
    int          small = 4096, listener = raw_listen(false, 1, &address), fd;

    /* The accepted socket inherits it: a window that has been offered does not get smaller. */
    check_eq(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    check_eq(weft_block_on(rt, weft_connect(&io, &address, ret)), 0);
    check_cmp(fd = accept(listener, NULL, NULL), >=, 0);
    close(listener);
    raw_set_patience(fd);
    check_eq(setsockopt(weft_stream_fd(*ret), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    return fd;
}

/* Whether a socket that is full now stays so until its peer reads: all that was sent has been
 * acknowledged, and the peer has no room for more. Linux before 5.4 does not tell that room: what a
 * full socket has not sent is then what has no room. */
static bool is_stuck(int fd)
{
    struct tcp_info info = {0};
    socklen_t       size = sizeof info;

    check_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_unacked == 0 && info.tcpi_snd_wnd == 0;
}

/* A datagram socket to receive from, and one to send from that has to wait. */
static void set_up_datagrams(stage *s)
{
    weft_address unnamed;
    socklen_t    size = sizeof s->receiver_address.u;

    s->datagram_address = loopback(false);
    check_eq(weft_datagram_bind(s->rt, &s->datagram_address, NULL, &s->datagram), 0);
    check_eq(weft_datagram_local_address(s->datagram, &s->datagram_address), 0);
    check_eq(weft_address_unix("", &unnamed), 0);
    check_eq(weft_datagram_bind(s->rt, &unnamed, NULL, &s->sender), 0);
    s->receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check_eq(bind(s->receiver, &unnamed.u.any, unnamed.size_), 0);
    check_eq(getsockname(s->receiver, &s->receiver_address.u.any, &size), 0);
    s->receiver_address.size_ = size;
    while (sendto(weft_datagram_fd(s->sender), "", 1, MSG_DONTWAIT, &s->receiver_address.u.any,
                  size) == 1)
        ;
    check_eq(errno, EAGAIN);
}

static void set_up(stage *s, weft_runtime *rt, bool full)
{
    bool stuck, any_room;

    *s = (stage){.rt = rt, .connected = -1, .extra = -1};
    strcpy(s->path, "/tmp/weft-test-XXXXXX");
    check(mkdtemp(s->path) != NULL);
    s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->file = openat(s->dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check_eq(pwrite(s->file, s->buffer, SIZE, 0), SIZE);
    s->peer = pair(rt, &s->stream);
    s->full_peer = narrow_pair(rt, &s->full);
    do {
        stuck = is_stuck(weft_stream_fd(s->full)); /* and full, if there is no room after that */
        any_room = fill(weft_stream_fd(s->full));
        /* An acknowledgement that waits for more would be waited for here. */
        setsockopt(s->full_peer, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
    } while (full && (!stuck || any_room));
    s->listener = listen_on(rt, false, &s->address);
    check_eq(pipe2(s->pipe, O_CLOEXEC), 0);
    check_eq(pipe2(s->packed, O_CLOEXEC), 0);
    fill(s->packed[1]);
    set_blocking(s->packed[1], true);
    memset(s->buffer, 'b', SIZE);
    s->vector[0] = (struct iovec){s->buffer, 3};
    s->vector[1] = (struct iovec){s->buffer + 3, SIZE - 3};
    s->message = (struct msghdr){.msg_iov = s->vector, .msg_iovlen = 2};
    set_up_datagrams(s);
}

static void tear_down(stage *s)
{
    static const char *names[] = {"file", "new", "other"};

    weft_stream_close(s->stream);
    weft_stream_close(s->full);
    weft_stream_close(s->granted);
    weft_listener_close(s->listener);
    weft_datagram_close(s->datagram);
    weft_datagram_close(s->sender);
    close(s->receiver);
    close(s->peer);
    close(s->full_peer);
    if (s->connected >= 0)
        close(s->connected);
    for (int i = 0; i < 2; i++)
        close(s->pipe[i]), close(s->packed[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(s->dir, names[i], 0);
    unlinkat(s->dir, "sub", AT_REMOVEDIR);
    close(s->file);
    close(s->dir);
    check_eq(rmdir(s->path), 0);
}

static const char sent[SIZE]; /* never the stage's buffer: that is lent */

static void send_to_stream(stage *s)
{
    raw_write(s->peer, sent, SIZE);
}

static size_t left_in_stream(stage *s)
{
    char    rest[2 * SIZE];
    ssize_t n;

    shutdown(s->peer, SHUT_WR);
    set_blocking(weft_stream_fd(s->stream), true);
    n = recv(weft_stream_fd(s->stream), rest, sizeof rest, MSG_WAITALL);
    return n > 0 ? (size_t)n : 0;
}

static void write_to_pipe(stage *s)
{
    check_eq(write(s->pipe[1], sent, SIZE), SIZE);
}

static size_t left_in_pipe(stage *s)
{
    char    rest[2 * SIZE];
    ssize_t n;

    set_blocking(s->pipe[0], false);
    n = read(s->pipe[0], rest, sizeof rest);
    return n > 0 ? (size_t)n : 0;
}

static void drain_full(stage *s)
{
    char rest[65536];

    do /* until there is room for a write */
        while (recv(s->full_peer, rest, sizeof rest, MSG_DONTWAIT) > 0)
            ;
    while (poll(&(struct pollfd){weft_stream_fd(s->full), POLLOUT, 0}, 1, 1) == 0);
}

static void drain_packed(stage *s)
{
    char rest[65536];

    check_cmp(read(s->packed[0], rest, sizeof rest), >, 0);
}

static void send_datagram(stage *s)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    check_eq(sendto(fd, sent, SIZE, 0, &s->datagram_address.u.any, sizeof s->datagram_address.u.v4),
             SIZE);
    close(fd);
}

static size_t left_in_datagram(stage *s)
{
    char    rest[2 * SIZE];
    ssize_t n = recv(weft_datagram_fd(s->datagram), rest, sizeof rest, MSG_DONTWAIT);

    return n > 0 ? (size_t)n : 0;
}

static void drain_receiver(stage *s)
{
    char rest[SIZE];

    while (recv(s->receiver, rest, sizeof rest, 0) >= 0)
        ;
}

static void connect_to(stage *s)
{
    s->connected = raw_connect(&s->address);
}

/* ---- the rows ---- */

#define BEGIN(name, ...)                                                                           \
    static weft_future *begin_##name(stage *s, weft_io *io)                                        \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }

BEGIN(read, weft_read(io, s->stream, s->buffer, SIZE))
BEGIN(read_exact, weft_read_exact(io, s->stream, s->buffer, SIZE))
BEGIN(readv, weft_readv(io, s->stream, s->vector, 2))
BEGIN(peek, weft_peek(io, s->stream, s->buffer, SIZE))
BEGIN(write_zero_copy, weft_write_zero_copy(io, s->full, s->buffer, SIZE))
BEGIN(receive_message, weft_receive_message(io, s->stream, &s->message, 0))
BEGIN(send_message, weft_send_message(io, s->full, &s->message, 0))
BEGIN(receive_from, weft_receive_from(io, s->datagram, s->buffer, SIZE, NULL))
BEGIN(send_to, weft_send_to(io, s->sender, s->buffer, SIZE, &s->receiver_address))
BEGIN(write, weft_write(io, s->full, s->buffer, SIZE))
BEGIN(write_all, weft_write_all(io, s->full, s->buffer, SIZE))
BEGIN(writev, weft_writev(io, s->full, s->vector, 2))
BEGIN(accept, weft_accept(io, s->listener, &s->granted))
BEGIN(connect, weft_connect(io, &s->address, &s->granted))
BEGIN(send_file, weft_send_file(io, s->full, s->file, 0, SIZE))
BEGIN(file_open, weft_file_open_at(io, s->dir, "new", O_CREAT | O_RDWR, 0600))
BEGIN(file_read, weft_file_read(io, s->pipe[0], s->buffer, SIZE, -1))
BEGIN(file_read_exact, weft_file_read_exact(io, s->pipe[0], s->buffer, SIZE, -1))
BEGIN(file_readv, weft_file_readv(io, s->pipe[0], s->vector, 2, -1))
BEGIN(file_write, weft_file_write(io, s->packed[1], s->buffer, SIZE, -1))
BEGIN(file_write_all, weft_file_write_all(io, s->packed[1], s->buffer, SIZE, -1))
BEGIN(file_writev, weft_file_writev(io, s->packed[1], s->vector, 2, -1))
BEGIN(splice, weft_splice(io, s->pipe[0], -1, s->file, 0, SIZE, 0))
BEGIN(file_sync, weft_file_sync(io, s->file))
BEGIN(file_sync_data, weft_file_sync_data(io, s->file))
BEGIN(file_allocate, weft_file_allocate(io, s->file, 0, 0, 8192))
BEGIN(file_truncate, weft_file_truncate(io, s->file, 5))
BEGIN(path_stat, weft_path_stat(io, s->dir, "file", 0, STATX_BASIC_STATS, &s->status))
BEGIN(path_unlink, weft_path_unlink(io, s->dir, "file", 0))
BEGIN(path_rename, weft_path_rename(io, s->dir, "file", s->dir, "other", 0))
BEGIN(path_make_dir, weft_path_make_dir(io, s->dir, "sub", 0700))
BEGIN(path_link, weft_path_link(io, s->dir, "file", s->dir, "other", 0))
BEGIN(path_symlink, weft_path_symlink(io, "file", s->dir, "other"))
BEGIN(fd_ready, weft_fd_ready(io, s->pipe[0], POLLIN))

static weft_future *begin_receive_batch(stage *s, weft_io *io)
{
    s->packet = (weft_packet){.data = s->buffer, .size = SIZE};
    return weft_receive_batch(io, s->datagram, &s->packet, 1);
}

static weft_future *begin_send_batch(stage *s, weft_io *io)
{
    s->packet = (weft_packet){.data = s->buffer, .size = SIZE, .address = s->receiver_address};
    return weft_send_batch(io, s->sender, &s->packet, 1);
}

/* Of a stream that has been waited for: there is a poll to be taken away. */
static weft_future *begin_release(stage *s, weft_io *io)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;
    weft_future *read = weft_read(io, s->stream, s->buffer, SIZE);

    weft_context_init(&cx, &noop, s->rt);
    check(!weft_poll_is_ready(weft_future_poll(read, &cx)));
    check(!weft_poll_is_ready(weft_future_cancel(read)));
    check(weft_poll_is_ready(weft_future_poll(read, &cx)));
    return weft_stream_release(io, s->stream);
}

static weft_future *begin_file_close(stage *s, weft_io *io)
{
    s->extra =
        (int)syscall(SYS_dup, s->file); /* TSan does not see the ring close it, so not this */
    return weft_file_close(io, s->extra);
}

static void close_extra(stage *s, bool done)
{
    check_eq(close(s->extra), done ? -1 : 0); /* cancelled: it is still open */
}

static void close_opened(stage *s, bool done)
{
    if (done)
        close(s->extra);
}

static void has_no_grant(stage *s, bool done)
{
    check_eq(s->granted != NULL, done); /* closed by tear_down */
}

static bool exists(stage *s, const char *name)
{
    return faccessat(s->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void lost_file(stage *s, bool done)
{
    check_eq(exists(s, "file"), !done);
}

static void has_other(stage *s, bool done)
{
    check_eq(exists(s, "other"), done);
}

static void has_sub(stage *s, bool done)
{
    check_eq(exists(s, "sub"), done);
}

static const row_case cases[] = {
    {"weft_read", begin_read, .result = SIZE, .let_go = send_to_stream, .left = left_in_stream},
    {"weft_read_exact", begin_read_exact, .result = SIZE, .let_go = send_to_stream,
     .left = left_in_stream},
    {"weft_readv", begin_readv, .result = SIZE, .let_go = send_to_stream, .left = left_in_stream},
    {"weft_peek", begin_peek, .result = SIZE, .let_go = send_to_stream},
    {"weft_write_zero_copy", begin_write_zero_copy, .result = SIZE, .let_go = drain_full},
    {"weft_receive_message", begin_receive_message, .result = SIZE, .let_go = send_to_stream,
     .left = left_in_stream},
    {"weft_send_message", begin_send_message, .result = SIZE, .let_go = drain_full},
    {"weft_receive_from", begin_receive_from, .result = SIZE, .let_go = send_datagram,
     .left = left_in_datagram},
    {"weft_send_to", begin_send_to, .result = SIZE, .let_go = drain_receiver},
    {"weft_receive_batch", begin_receive_batch, .result = 1, .let_go = send_datagram,
     .left = left_in_datagram},
    {"weft_send_batch", begin_send_batch, .result = 1, .let_go = drain_receiver},
    {"weft_stream_release", begin_release, .result = -1, .give_back = close_opened},
    {"weft_write", begin_write, .result = SIZE, .let_go = drain_full},
    {"weft_write_all", begin_write_all, .result = SIZE, .let_go = drain_full},
    {"weft_writev", begin_writev, .result = SIZE, .let_go = drain_full},
    {"weft_accept", begin_accept, .let_go = connect_to, .give_back = has_no_grant},
    {"weft_connect", begin_connect, .give_back = has_no_grant},
    {"weft_send_file", begin_send_file, .result = SIZE, .let_go = drain_full},
    {"weft_file_open", begin_file_open, .result = -1, .give_back = close_opened},
    {"weft_file_close", begin_file_close, .give_back = close_extra},
    {"weft_file_read", begin_file_read, .result = SIZE, .let_go = write_to_pipe,
     .left = left_in_pipe},
    {"weft_file_read_exact", begin_file_read_exact, .result = SIZE, .let_go = write_to_pipe,
     .left = left_in_pipe},
    {"weft_file_readv", begin_file_readv, .result = SIZE, .let_go = write_to_pipe,
     .left = left_in_pipe},
    {"weft_file_write", begin_file_write, .result = SIZE, .let_go = drain_packed},
    {"weft_file_write_all", begin_file_write_all, .result = SIZE, .let_go = drain_packed},
    {"weft_file_writev", begin_file_writev, .result = SIZE, .let_go = drain_packed},
    {"weft_splice", begin_splice, .result = SIZE, .let_go = write_to_pipe, .left = left_in_pipe},
    {"weft_file_sync", begin_file_sync, .result = 0},
    {"weft_file_sync_data", begin_file_sync_data, .result = 0},
    {"weft_file_allocate", begin_file_allocate, .result = 0},
    {"weft_file_truncate", begin_file_truncate, .result = 0},
    {"weft_path_stat", begin_path_stat, .result = 0},
    {"weft_path_unlink", begin_path_unlink, .give_back = lost_file},
    {"weft_path_rename", begin_path_rename, .give_back = has_other},
    {"weft_path_make_dir", begin_path_make_dir, .give_back = has_sub},
    {"weft_path_link", begin_path_link, .give_back = has_other},
    {"weft_path_symlink", begin_path_symlink, .give_back = has_other},
    {"weft_fd_ready", begin_fd_ready, .result = POLLIN, .let_go = write_to_pipe},
};

#define ROWS (int)(sizeof cases / sizeof *cases)

#define CHECK(row, condition)                                                                      \
    ((condition) ? (void)0                                                                         \
                 : test_fail(__FILE__, __LINE__, "%s: false: %s", cases[row].name, #condition))

static inline bool is_row(int row, const char *name)
{
    return strcmp(cases[row].name, name) == 0;
}

/* The case of a row of the table. */
static inline int row_of(const weft_future_ops *ops)
{
    int row = 0;

    while (row < ROWS && !is_row(row, ops->name))
        row++;
    if (row == ROWS)
        test_fail(__FILE__, __LINE__, "%s: it has no case", ops->name);
    return row;
}

static inline bool withdraws(int row)
{
    const weft_future_ops *const *ops = wf_operations;

    while (*ops && !is_row(row, (*ops)->name))
        ops++;
    CHECK(row, *ops); /* it is not in the table */
    return (*ops)->flags & WEFT_FUTURE_WITHDRAWS;
}

#endif
