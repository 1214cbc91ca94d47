/*
 * position.c - one operation at a time at a file's position
 *
 * Purpose     See position.h.
 * Threads     See position.h.
 * Invariants  See position.h.
 * Ordering    None.
 * Failure     None.
 */
#include "position.h"

static weft_io **list_of(wf_positions *p, const weft_io *io)
{
    return &p->first[(unsigned)io->fd_ % WF_POSITION_LISTS];
}

/* The first one from here on that is at the same position, or NULL. */
static weft_io *find(weft_io *from, int fd)
{
    while (from && from->fd_ != fd)
        from = from->out_;
    return from;
}

bool wf_positions_enter(wf_positions *p, weft_io *io)
{
    weft_io **list = list_of(p, io), *last = *list;
    bool      turn = !find(last, io->fd_);

    io->out_ = NULL;
    while (last && last->out_)
        last = last->out_;
    if (last)
        last->out_ = io;
    else
        *list = io;
    return turn;
}

weft_io *wf_positions_leave(wf_positions *p, weft_io *io)
{
    weft_io **list = list_of(p, io), *before = *list, *after = io->out_;
    bool      turn = find(before, io->fd_) == io;

    if (before == io) {
        *list = after;
    } else {
        while (before->out_ != io)
            before = before->out_;
        before->out_ = after;
    }
    return turn ? find(after, io->fd_) : NULL;
}
