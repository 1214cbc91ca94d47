/*
 * mixture_kind.h - what the actors of a mixture await, and what they are granted
 *
 * An operation is in memory of its own, so that a sanitizer sees each use after its end. It may be
 * handed on while it is pending. An operation that is granted something gives the actor a hold,
 * which the actor gives up some steps later.
 *
 * No mixture deadlocks by itself: an actor waits without a limit only if it holds nothing of the
 * operation's rank or above, and only for what other actors are certain to do.
 */
#ifndef MIXTURE_KIND_H
#define MIXTURE_KIND_H

#include "mixture.h"

#define HOLDS 8

/* Something that an actor has been granted. */
typedef struct hold {
    void (*release)(struct hold *hold, uint32_t r);
    int      i, rank;
    uint32_t n;
    void    *permit;
} hold;

typedef struct actor {
    uint32_t seed;
    int      steps, style;
    int      n_holds;
    hold     holds[HOLDS];
    /* One that others rely on has one kind of operation only. */
    const struct kind *only;
    channel           *drains; /* from which it receives, by this end, until all is received */
    end               *drain;
    int                way;   /* of the queue: 1: it puts messages, 2: it takes them */
    int                waits; /* it holds queue_lock, and waits to put or to take, as in `way` */
    bool               ended; /* there is nothing left to receive */
} actor;

typedef struct operation {
    const struct kind     *kind;
    int                    i;
    uint32_t               n;
    bool                   resolves; /* it ends without a limit, also while all others wait */
    channel               *channel;
    end                   *end;
    bag                   *bag; /* of the end */
    message                m[4];
    weft_mpsc_permit      *permit;
    weft_oneshot_receiver *answer;
    weft_wait              wait;
    weft_future           *future;
} operation;

/* `begin` makes the future, or returns false if what it needs is not there. `end` gets the result,
 * -ECANCELED also if the operation was never polled. */
typedef struct kind {
    const char *name;
    bool (*begin)(operation *o, actor *a, uint32_t r);
    void (*end)(operation *o, actor *a, int64_t n, uint32_t r);
    int rank; /* of what it is granted; 0: nothing */
} kind;

/* Without an actor, or where that has its hands full, what was granted is given up at once. */
static void hold_for(actor *a, hold h, uint32_t r)
{
    if (a && a->n_holds < HOLDS)
        a->holds[a->n_holds++] = h;
    else
        h.release(&h, r);
}

static int rank_of(const actor *a)
{
    int rank = 0;

    for (int i = 0; i < a->n_holds; i++)
        if (a->holds[i].rank > rank)
            rank = a->holds[i].rank;
    return rank;
}

static void check_granted(int64_t n)
{
    MCHECK(n == 0 || n == -ECANCELED);
}

#endif
