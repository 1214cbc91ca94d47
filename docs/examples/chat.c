/*
 * chat.c - a chat by lines: chat [PORT], then `nc 127.0.0.1 7001` in two terminals
 *
 * Tasks share nothing here; they send messages. Each `member` is one connection with a mailbox, a
 * bounded channel; the `room` is one task with an inbox, and the only one to know who is in.
 *
 *     socket -> member --event--> room --line--> every other member's mailbox -> socket
 *
 * Two things to look at:
 *
 * - A member waits for a line and its mailbox at once. weft_keep marks the line: when the
 *   mailbox wins, the line stays pending and is awaited again in the next round, not cancelled.
 * - Nobody waits for a slow reader. A member may wait for space in the inbox (a fast talker is
 *   slowed down), but the room never waits: whose mailbox is full loses it, and with it the
 *   connection. So no circle of tasks can wait for each other either.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define PLACES       1000      /* members of a room */
#define MAILBOX      64        /* lines that a slow reader may be behind */
#define WRITE_LIMIT  WEFT_S(2) /* and how long writing one may take */

struct line {
    uint16_t length; /* 0: nothing to say */
    char     text[254];
};

/* What a member tells the room. Its mailbox is also its name there. */
struct event {
    enum { JOINS, SAYS, LEAVES, CLOSE } kind;
    weft_mpsc_sender *mailbox;
    struct line       line; /* for the others */
};

static void event_set(struct event *event, int kind, const char *a, const char *b, const char *c)
{
    int n = snprintf(event->line.text, sizeof event->line.text, "%s%s%s\n", a, b, c);

    event->kind = kind;
    event->line.length = (uint16_t)n; /* names and lines of input are short enough */
}

/* ---- the room ---- */

struct room {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *inbox;
    } in;
    weft_message      wait;
    struct event      event;
    unsigned          n_members, n_places;
    weft_mpsc_sender *member[PLACES]; /* their mailboxes; closing one shows its member out */
};

static void room_handle(struct room *self)
{
    const struct event *event = &self->event;

    if (event->kind == JOINS && self->n_members < self->n_places)
        self->member[self->n_members++] = event->mailbox;
    else if (event->kind == JOINS)
        weft_mpsc_sender_close(event->mailbox); /* no place: show it out at once */
    if (event->kind == CLOSE)
        self->n_places = 0;

    for (unsigned i = self->n_members; i-- > 0;) {
        bool own = self->member[i] == event->mailbox;
        bool out = event->kind == CLOSE || (own && event->kind == LEAVES);

        if (!own && event->line.length && weft_mpsc_try_send(self->member[i], &event->line) < 0)
            out = true; /* its mailbox is full: too slow */
        if (out) {
            weft_mpsc_sender_close(self->member[i]);
            self->member[i] = self->member[--self->n_members];
        }
    }
}

WEFT_ASYNC(room)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_members = 0;
    self->n_places = PLACES;
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.inbox, &self->event));
        if (n < 0)
            break; /* -EPIPE: the server and all members have closed their ends */
        room_handle(self);
    }
    self->event.kind = CLOSE;
    self->event.line.length = 0;
    room_handle(self); /* nobody is left, unless we have been cancelled */
    weft_mpsc_receiver_close(self->in.inbox);
    WEFT_END(0);
}

/* ---- a member ---- */

struct member {
    WEFT_FRAME;
    struct {
        weft_stream      *conn;
        weft_mpsc_sender *room;
    } in;
    weft_mpsc_receiver *mailbox;
    weft_reader         reader;
    weft_io             write;
    weft_message        receive, send;
    weft_select         either;
    weft_limit          limit;
    struct event        event; /* to the room */
    struct line         line;  /* out of the mailbox */
    char               *said;
    char                input[200]; /* a line that does not fit comes in pieces */
    char                name[16];   /* empty until the first line has come */
};

static void member_says(struct member *self)
{
    if (self->name[0]) {
        event_set(&self->event, SAYS, self->name, ": ", self->said);
    } else {
        snprintf(self->name, sizeof self->name, "%.15s", self->said[0] ? self->said : "nobody");
        event_set(&self->event, SAYS, "* ", self->name, " is here");
    }
}

/* The line that is awaited since an earlier round, or the next one. */
static weft_future *member_read_line(struct member *self)
{
    if (!weft_future_is_pending(&self->reader.future))
        weft_reader_line(&self->reader, &self->said);
    return weft_keep(&self->reader.future);
}

static weft_future *member_write_line(struct member *self)
{
    return weft_timeout(
        &self->limit,
        weft_write_all(&self->write, self->in.conn, self->line.text, self->line.length),
        WRITE_LIMIT);
}

WEFT_ASYNC(member)
{
    static const char greeting[] = "Your name, then whatever you like to say:\n";
    int64_t           n;

    WEFT_BEGIN();
    weft_reader_init(&self->reader, self->in.conn, self->input, sizeof self->input);
    self->name[0] = '\0';
    n = weft_mpsc_open(&self->event.mailbox, &self->mailbox, sizeof(struct line), MAILBOX);
    if (n < 0)
        goto out;
    self->event.kind = JOINS; /* the room owns the sending end from here on */
    self->event.line.length = 0;
    WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->in.room, &self->event));
    if (n < 0) {
        weft_mpsc_sender_close(self->event.mailbox);
        goto close;
    }
    WEFT_AWAIT(n, weft_write_all(&self->write, self->in.conn, greeting, sizeof greeting - 1));

    while (n >= 0) {
        WEFT_AWAIT(n, weft_select(&self->either, member_read_line(self),
                                  weft_mpsc_receive(&self->receive, self->mailbox, &self->line)));
        if (n == 0) {
            n = weft_future_result(&self->reader.future);
            if (n == -EMSGSIZE) { /* too long: as much as there is, cut for its end */
                WEFT_AWAIT(n, weft_reader_take(&self->reader, sizeof self->input - 1, &self->said));
                if (n > 0)
                    self->said[n - 1] = '\0';
            }
            if (n < 0)
                break; /* gone */
            member_says(self);
            WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->in.room, &self->event));
        } else if (n == 1) {
            n = weft_future_result(&self->receive.future);
            if (n < 0)
                break; /* the room has closed our mailbox: we are too slow, or it ends */
            WEFT_AWAIT(n, member_write_line(self));
        }
    }
    event_set(&self->event, LEAVES, "* ", self->name[0] ? self->name : "somebody", " has left");
    WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->in.room, &self->event));

    /* A shutdown ends what is pending; the kept line must have ended before our frame does. */
    weft_stream_shutdown(self->in.conn, SHUT_RDWR);
    if (weft_future_is_pending(&self->reader.future))
        WEFT_AWAIT(n, &self->reader.future);
close:
    weft_mpsc_receiver_close(self->mailbox);
out:
    weft_stream_close(self->in.conn);
    weft_mpsc_sender_close(self->in.room);
    WEFT_END(0);
}

/* ---- the server ---- */

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener    *listener;
        weft_mpsc_sender *room;
    } in;
    weft_io      io;
    weft_stream *conn;
};
WEFT_ASYNC(acceptor)
{
    weft_mpsc_sender *room;
    int64_t           n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->conn));
        if (n < 0)
            break;
        room = weft_mpsc_sender_clone(self->in.room);
        if (weft_spawn(NULL, member, .conn = self->conn, .room = room) < 0) {
            weft_mpsc_sender_close(room);
            weft_stream_close(self->conn);
        }
    }
    WEFT_END(n);
}

struct server {
    WEFT_FRAME;
    struct {
        uint16_t port;
    } in;
    weft_listener      *listener;
    weft_mpsc_sender   *room;
    weft_mpsc_receiver *inbox;
    weft_handle         acceptor, host;
    weft_signal         signal;
    weft_message        send;
    struct event        event;
};
WEFT_ASYNC(server)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    int64_t      n;

    WEFT_BEGIN();
    n = weft_address_parse(&address, "127.0.0.1", self->in.port);
    if (n == 0)
        n = weft_listen(NULL, &self->listener, &address, NULL);
    if (n < 0)
        WEFT_RETURN(n);
    weft_listener_address(self->listener, &address);
    printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);

    n = weft_mpsc_open(&self->room, &self->inbox, sizeof(struct event), 64);
    if (n == 0)
        n = weft_spawn(&self->host, room, .inbox = self->inbox);
    if (n == 0)
        n = weft_spawn(&self->acceptor, acceptor, .listener = self->listener, .room = self->room);
    if (n < 0)
        WEFT_RETURN(n); /* out of memory at the very start: main ends at once */

    WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
    weft_cancel(&self->acceptor);
    WEFT_AWAIT(n, weft_join(&self->acceptor));
    weft_listener_close(self->listener);
    event_set(&self->event, CLOSE, "* ", "the room", " closes");
    WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->room, &self->event));
    weft_mpsc_sender_close(self->room);
    WEFT_AWAIT(n, weft_join(&self->host)); /* it ends when the last member has left */
    WEFT_END(n);
}

int main(int argc, char **argv)
{
    const char   *text = argc > 1 ? argv[1] : "7001";
    char         *end;
    unsigned long port = strtoul(text, &end, 10);

    if (argc > 2 || *text < '0' || *text > '9' || *end || port > 65535) {
        fprintf(stderr, "chat: PORT is '%s', expected 0 (any free one) to 65535: chat [PORT]\n",
                text);
        return 2;
    }
    weft_signal_block(STOP_SIGNALS);
    return weft_main(server, .port = (uint16_t)port);
}
