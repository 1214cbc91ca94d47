/*
 * mpsc_weak.c - weak senders of an mpsc channel: see mpsc.h
 *
 * Purpose     A task that may want to send later, but must not keep the receiver waiting.
 * Threads     Each weak sender: its owner.
 * Invariants  M2. A weak sender keeps the memory of the channel, and counts as no sender.
 * Ordering    The lock of the channel.
 * Failure     None.
 */
#include "mpsc.h"

WEFT_API weft_mpsc_weak *weft_mpsc_downgrade(weft_mpsc_sender *sender)
{
    mpsc *c = (mpsc *)sender;

    wf_lock(&c->lock);
    c->n_ends++;
    wf_unlock(&c->lock);
    return (weft_mpsc_weak *)c;
}

WEFT_API weft_mpsc_sender *weft_mpsc_upgrade(weft_mpsc_weak *weak)
{
    mpsc *c = (mpsc *)weak;
    bool  any;

    wf_lock(&c->lock);
    any = c->n_senders > 0;
    c->n_senders += any;
    c->n_ends += any;
    wf_unlock(&c->lock);
    return any ? (weft_mpsc_sender *)c : NULL;
}

WEFT_API void weft_mpsc_weak_close(weft_mpsc_weak *weak)
{
    mpsc *c = (mpsc *)weak;
    bool  last;

    if (!c)
        return;
    wf_lock(&c->lock);
    last = --c->n_ends == 0;
    wf_unlock(&c->lock);
    wf_mpsc_leave(c, last);
}
