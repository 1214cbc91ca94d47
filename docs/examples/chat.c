/*
 * chat.c - a chat by lines: chat [PORT], then `nc 127.0.0.1 7001` in two terminals
 *
 * Tasks share nothing here; they send messages. Each `member` is one connection with a mailbox, a
 * bounded channel; the `room` is one task with an inbox, and the only one to know the members.
 *
 *     socket -> member --event--> room --line--> every other member's mailbox -> socket
 *
 * Three things to look at:
 *
 * - A member waits for its mailbox and something else at once: a line from its client, or room in
 *   the inbox. weft_keep marks the latter: when the mailbox wins, it stays pending and is awaited
 *   again in the next round, not cancelled.
 * - A slow reader can't stop the others. When a mailbox is full, the room waits a moment for its
 *   member, so that a burst of lines does not disconnect members that read. A member that has used
 *   up its waiting time loses its mailbox, and with it the connection.
 * - Tasks never wait for each other in a circle: the room waits for a mailbox, and a member always
 *   empties its mailbox, even while it waits for something else.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

#include "chat_text.h"
#include "local.h"
#include "say.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define ACCEPT_PAUSE WEFT_MS(100) /* after an error */
#define PLACES       1000         /* members of a room */
#define MAILBOX      64           /* lines by which a slow reader may be behind */
#define PATIENCE     WEFT_S(1)    /* how long the room waits for one member, in all */
#define WRITE_LIMIT  WEFT_S(2)    /* how long writing a line may take */
#define NAME_SIZE    16           /* with its '\0' */
#define INPUT        200          /* a line that does not fit comes in pieces */

struct line {
    uint16_t length; /* 0: nothing to say */
    enum { PLAIN, NAMED, RENAME } kind;
    char text[252];
};

/* What a member tells the room. */
struct event {
    enum { JOINS, NAMES, SAYS, LEAVES, CLOSE } kind;
    uint64_t          member;
    weft_mpsc_sender *mailbox; /* JOINS: the room owns it from here on */
    struct line       line;    /* for the others; NAMES: the name */
};

static void line_set(struct line *line, const char *a, const char *b, const char *c)
{
    /* Names and pieces of input are short enough to fit. */
    line->length = (uint16_t)snprintf(line->text, sizeof line->text, "%s%s%s\n", a, b, c);
    line->kind = PLAIN;
}

/* ---- the room ---- */

struct place {
    uint64_t          member;
    weft_mpsc_sender *mailbox; /* closing it ends the member */
    int64_t           late;    /* how long the room has waited for it lately */
    char              name[NAME_SIZE];
};

struct room {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *inbox;
    } in;
    weft_wait           receive, send;
    struct weft_timeout limit;
    struct event        event;
    struct line         reply; /* for the member that the event is of */
    bool                replies;
    unsigned            n_members, n_places, at;
    int64_t             since;
    struct place        place[PLACES];
};

static bool room_knows(const struct room *self, const char *name)
{
    for (unsigned i = 0; i < self->n_members; i++)
        if (!strcmp(self->place[i].name, name))
            return true;
    return false;
}

/* A member has sent its name. The name is now known to the room, or it is refused. */
static void room_name(struct room *self, struct place *place)
{
    struct line *line = &self->event.line;
    char         name[NAME_SIZE];

    memcpy(name, line->text, sizeof name);
    self->replies = true;
    line->length = 0;
    if (!*name || room_knows(self, name)) {
        line_set(&self->reply, "* ", *name ? name : "An empty name", " is taken; your name:");
        self->reply.kind = RENAME;
        return;
    }
    strcpy(place->name, name);
    self->reply.kind = NAMED;
    self->reply.length = 0;
    line_set(line, "* ", name, " is here");
}

/* Applies the event to the room. room_tell tells the members. */
static void room_change(struct room *self)
{
    const struct event *event = &self->event;

    self->replies = false;
    if (event->kind == CLOSE) {
        self->n_places = 0;
    } else if (event->kind == JOINS && self->n_members < self->n_places) {
        self->place[self->n_members++] =
            (struct place){.member = event->member, .mailbox = event->mailbox};
    } else if (event->kind == JOINS) {
        weft_mpsc_sender_close(event->mailbox); /* no place: end it at once */
    } else if (event->kind == NAMES) {
        for (unsigned i = 0; i < self->n_members; i++)
            if (self->place[i].member == event->member)
                room_name(self, &self->place[i]);
    }
}

/* The line that the member at this place gets to read; NULL: none. */
static const struct line *room_line(const struct room *self, const struct place *place)
{
    if (place->member == self->event.member && self->event.kind != CLOSE)
        return self->replies ? &self->reply : NULL;
    return self->event.line.length ? &self->event.line : NULL;
}

/* Puts the line into the mailbox: 0, or -EAGAIN: it is full. */
static int room_try(struct place *place, const struct line *line)
{
    int r = line ? weft_mpsc_try_send(place->mailbox, line) : 0;

    if (r == 0 && line)
        place->late /= 2; /* a member that reads gets its patience back */
    return r;
}

static weft_future *room_wait(struct room *self, struct place *place)
{
    self->since = weft_now();
    return weft_timeout_at(&self->limit,
                           weft_mpsc_send(&self->send, place->mailbox, room_line(self, place)),
                           self->since + PATIENCE - place->late);
}

/* Called after a member got its line, or could not get it (n < 0). Ends the member if it has to
 * go. */
static void room_settle(struct room *self, int64_t n)
{
    struct place *place = &self->place[self->at];
    int           kind = self->event.kind;

    if (n >= 0 && kind != CLOSE && !(kind == LEAVES && place->member == self->event.member))
        return;
    weft_mpsc_sender_close(place->mailbox);
    *place = self->place[--self->n_members];
}

WEFT_ASYNC(room)
{
    struct place *place;
    int64_t       n;

    WEFT_BEGIN();
    self->n_members = 0;
    self->n_places = PLACES;
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->receive, self->in.inbox, &self->event));
        if (n < 0)
            break; /* WEFT_EOF: the server and all members have closed their ends */
        room_change(self);
        for (self->at = self->n_members; self->at-- > 0;) {
            place = &self->place[self->at];
            n = room_try(place, room_line(self, place));
            if (n == -EAGAIN) {
                WEFT_AWAIT(n, room_wait(self, place));
                self->place[self->at].late += weft_now() - self->since;
            }
            room_settle(self, n);
        }
    }
    while (self->n_members > 0) /* none is left, unless we have been cancelled */
        weft_mpsc_sender_close(self->place[--self->n_members].mailbox);
    weft_mpsc_receiver_close(self->in.inbox);
    WEFT_END(0);
}

/* ---- a member ---- */

/* Talks with the client until it is gone, or the room has closed the mailbox. */
struct talk {
    WEFT_FRAME;
    struct {
        struct member *member;
    } in;
};

struct member {
    WEFT_FRAME;
    struct {
        weft_stream      *conn;
        weft_mpsc_sender *room;
    } in;
    struct talk         talk;
    weft_mpsc_receiver *mailbox;
    weft_reader         reader;
    weft_io             write;
    weft_wait           receive, send;
    struct weft_select  either;
    struct weft_timeout limit;
    enum { READS, SENDS, ASKS } state; /* what it waits for, beside the mailbox */
    struct event event;                /* to the room */
    struct line  line;                 /* out of the mailbox */
    char        *said;
    char         input[INPUT];
    char         name[NAME_SIZE]; /* empty until the room has taken it */
};

/* The client has said this. */
static void member_says(struct member *self, size_t size)
{
    char text[INPUT] = "";

    text_clean(self->said, size);
    if (!self->name[0])
        size = text_cut(self->said, size, NAME_SIZE - 1);
    snprintf(text, sizeof text, "%.*s", (int)size, self->said);
    if (self->name[0]) {
        line_set(&self->event.line, self->name, ": ", text);
        self->event.kind = SAYS;
    } else {
        memcpy(self->event.line.text, text, NAME_SIZE);
        self->event.kind = NAMES;
    }
    self->state = SENDS;
}

/* A line has come by the mailbox; true: it is for the client. */
static bool member_hears(struct member *self)
{
    if (self->line.kind != PLAIN)
        self->state = READS; /* the room has answered our name */
    if (self->line.kind == NAMED)
        memcpy(self->name, self->event.line.text, NAME_SIZE);
    return self->line.length > 0;
}

/* Waits for the mailbox (0) or for what the state says (1), perhaps since an earlier round. */
static weft_future *member_wait(struct member *self)
{
    weft_future *mail = weft_mpsc_receive(&self->receive, self->mailbox, &self->line);

    if (self->state == ASKS)
        return weft_select(&self->either, mail);
    if (self->state == SENDS) {
        if (!weft_future_is_pending(&self->send.future))
            weft_mpsc_send(&self->send, self->in.room, &self->event);
        return weft_select(&self->either, mail, weft_keep(&self->send.future));
    }
    if (!weft_future_is_pending(&self->reader.future))
        weft_reader_line(&self->reader, &self->said);
    return weft_select(&self->either, mail, weft_keep(&self->reader.future));
}

static weft_future *member_write(struct member *self, const void *text, size_t size)
{
    return weft_timeout(&self->limit, weft_write_all(&self->write, self->in.conn, text, size),
                        WRITE_LIMIT);
}

WEFT_ASYNC(talk)
{
    static const char greeting[] = "Your name, then whatever you like to say:\n";
    struct member    *member = self->in.member;
    int64_t           n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, member_write(member, greeting, sizeof greeting - 1));
    while (n >= 0) {
        WEFT_AWAIT(n, member_wait(member));
        if (n == 0) {
            n = weft_future_result(&member->receive.future);
            if (n == 0 && member_hears(member))
                WEFT_AWAIT(n, member_write(member, member->line.text, member->line.length));
        } else if (n == 1 && member->state == SENDS) {
            n = weft_future_result(&member->send.future);
            member->state = member->event.kind == NAMES ? ASKS : READS;
        } else if (n == 1) {
            n = weft_future_result(&member->reader.future);
            if (n == -EMSGSIZE) { /* a long line comes in pieces, cut between two characters */
                WEFT_AWAIT(n, weft_reader_peek(&member->reader, INPUT - 1, &member->said));
                if (n > 0)
                    WEFT_AWAIT(n, weft_reader_take(&member->reader,
                                                   text_cut(member->said, (size_t)n, INPUT - 1),
                                                   &member->said));
            }
            if (n >= 0)
                member_says(member, (size_t)n);
        }
    }
    /* The kept future must end before this frame does. The room no longer waits for us, so it takes
     * the event on its way, and the shutdown ends the read. */
    weft_mpsc_receiver_close(member->mailbox);
    weft_stream_shutdown(member->in.conn, SHUT_RDWR);
    if (weft_future_is_pending(&member->send.future))
        WEFT_AWAIT(n, &member->send.future);
    if (weft_future_is_pending(&member->reader.future))
        WEFT_AWAIT(n, &member->reader.future);
    WEFT_END(0);
}

static int member_begin(struct member *self)
{
    static atomic_uint_fast64_t n_members;

    weft_reader_init(&self->reader, self->in.conn, self->input, sizeof self->input);
    self->state = READS;
    self->name[0] = '\0';
    self->event.kind = JOINS;
    self->event.member = atomic_fetch_add(&n_members, 1) + 1;
    self->event.line.length = 0;
    return weft_mpsc_open(sizeof(struct line), MAILBOX, &self->event.mailbox, &self->mailbox);
}

static weft_future *member_leave(struct member *self)
{
    self->event.kind = LEAVES;
    self->event.line.length = 0;
    if (self->name[0])
        line_set(&self->event.line, "* ", self->name, " has left");
    return weft_mpsc_send(&self->send, self->in.room, &self->event);
}

WEFT_ASYNC(member)
{
    int64_t n;

    WEFT_BEGIN();
    n = member_begin(self);
    if (n == 0) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->in.room, &self->event));
        if (n == 0) {
            WEFT_CALL(n, talk, &self->talk, .member = self);
            WEFT_AWAIT(n, member_leave(self));
        } else {
            weft_mpsc_sender_close(self->event.mailbox);
            weft_mpsc_receiver_close(self->mailbox);
        }
    }
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
    weft_io           io;
    struct weft_sleep nap;
    weft_stream      *conn;
    bool              failing; /* and this has been reported */
};
WEFT_ASYNC(acceptor)
{
    weft_mpsc_sender *room;
    int64_t           n;

    WEFT_BEGIN();
    self->failing = false;
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->conn));
        if (n == -ECANCELED)
            break; /* the task is cancelled */
        if (n < 0) {
            if (!self->failing)
                say("chat: can't accept: %s; trying again\n", strerror((int)-n));
            self->failing = true;
            WEFT_AWAIT(n, weft_sleep(&self->nap, ACCEPT_PAUSE));
            if (n < 0)
                break;
            continue;
        }
        self->failing = false;
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
    weft_listener          *listener;
    weft_mpsc_sender       *room;
    weft_mpsc_receiver     *inbox;
    weft_handle             acceptor, host;
    struct weft_signal_wait signal;
    weft_wait               send;
    struct event            event;
};

/* Listens, and opens the room's inbox. On failure it undoes what it has begun. */
static int64_t server_open(struct server *self)
{
    int64_t n = weft_mpsc_open(sizeof(struct event), 64, &self->room, &self->inbox);

    if (n < 0)
        return n;
    n = local_listen(self->in.port, &self->listener);
    if (n < 0) {
        weft_mpsc_sender_close(self->room);
        weft_mpsc_receiver_close(self->inbox);
    }
    return n;
}

WEFT_ASYNC(server)
{
    int64_t n;

    WEFT_BEGIN();
    n = server_open(self);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_spawn(&self->host, room, .inbox = self->inbox);
    if (n < 0) {
        weft_listener_close(self->listener);
        weft_mpsc_sender_close(self->room);
        weft_mpsc_receiver_close(self->inbox);
        WEFT_RETURN(n);
    }
    n = weft_spawn(&self->acceptor, acceptor, .listener = self->listener, .room = self->room);
    if (n == 0) {
        local_print(self->listener);

        WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
        weft_cancel(&self->acceptor);
        WEFT_AWAIT(n, weft_join(&self->acceptor));
    }
    weft_listener_close(self->listener);
    self->event = (struct event){.kind = CLOSE};
    line_set(&self->event.line, "* ", "the room", " closes");
    WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->room, &self->event));
    weft_mpsc_sender_close(self->room);
    WEFT_AWAIT(n, weft_join(&self->host)); /* it ends when the last member has left */
    WEFT_END(n);
}

int main(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : "7001";
    int         port = local_port(text);

    if (argc > 2 || port < 0) {
        fprintf(stderr, "chat: PORT is '%s', expected 0 (any free one) to 65535: chat [PORT]\n",
                text);
        return 2;
    }
    say_open();
    weft_signal_block(STOP_SIGNALS);
    return weft_main(server, .port = (uint16_t)port);
}
