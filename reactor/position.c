/* position.c - see position.h */
#include "position.h"

#include "operation.h"

#include <unistd.h>

static wf_place *place_of(const weft_io *io)
{
    return WF_ARGS(io, wf_place);
}

/* Returns the first operation of that descriptor from here on, or NULL. */
static weft_io *find(weft_io *from, int fd)
{
    while (from && place_of(from)->fd != fd)
        from = place_of(from)->next;
    return from;
}

static unsigned list_number(int fd)
{
    return (unsigned)fd % WF_POSITION_LISTS;
}

static weft_io **list_of(wf_positions *p, int fd)
{
    return &p->first[list_number(fd)];
}

/* Returns the link that leads to the operation, or the last link for NULL. */
static weft_io **link_to(weft_io **link, const weft_io *io)
{
    while (*link != io)
        link = &place_of(*link)->next;
    return link;
}

bool wf_positions_has(const wf_positions *p, const weft_io *io)
{
    const weft_io *at = p->first[list_number(place_of(io)->fd)];

    while (at && at != io)
        at = place_of(at)->next;
    return at;
}

bool wf_positions_has_turn(const wf_positions *p, const weft_io *io)
{
    int fd = place_of(io)->fd;

    return find(p->first[list_number(fd)], fd) == io;
}

bool wf_positions_enter(wf_positions *p, weft_io *io)
{
    wf_place *place = place_of(io);
    weft_io **list = list_of(p, place->fd);

    place->next = NULL;
    *link_to(list, NULL) = io;
    return find(*list, place->fd) == io;
}

weft_io *wf_positions_leave(wf_positions *p, weft_io *io)
{
    const wf_place *place = place_of(io);
    weft_io       **list = list_of(p, place->fd);
    bool            had_turn = find(*list, place->fd) == io;

    *link_to(list, io) = place->next;
    return had_turn ? find(place->next, place->fd) : NULL;
}

void wf_position_move(const weft_io *io, int64_t n_bytes)
{
    const wf_place *place = place_of(io);

    if (place->moved_by != 0 && n_bytes > 0)
        (void)lseek(place->fd, place->moved_by == SEEK_CUR ? n_bytes : 0, place->moved_by);
}
