/*
 * token.h - trees of cancellation tokens: one call ends all work below a point
 *
 * A token says that some work is to end. Tasks look at it, wait for it, or run a future until it is
 * cancelled. A token may have children, and a cancel reaches all tokens below the one that is
 * cancelled. A server has a token, each connection a child of it, each request a child of that.
 *
 * A token is a struct in memory of yours. All bytes zero is a token without a parent. Nothing is
 * allocated, and no runtime is needed. A token is cancelled once and for ever.
 *
 * A token must stay in place as long as it has children, as long as a task waits for it, and until
 * each call of weft_token_cancel that reaches it has returned. weft_token_end ends all of these
 * ties of a child: its memory may be freed afterwards, also while its parent is being cancelled. A
 * child ends before its parent does. Any thread may call any of these functions.
 */
#ifndef WEFT_TOKEN_H
#define WEFT_TOKEN_H

#include <weft/sync.h>

WEFT_BEGIN_DECLS

/* A token. Zero: it has no parent, and is not cancelled. */
typedef struct weft_token {
    weft_waits_         waits_; /* of the root: its lock guards the links of the whole tree */
    struct weft_token  *root_;  /* NULL: it is the root itself */
    struct weft_token **list_;  /* the list that it is in, or NULL */
    struct weft_token  *next_, *prev_;
    struct weft_token  *children_;
    struct weft_token  *firing_; /* of the root: cancelled tokens whose waits are still to end */
    uint32_t            cancelled_;
} weft_token;

/*
 * Makes a child of a token. It is cancelled when its parent is, and at once if its parent has been
 * cancelled before. A cancel of the child does not reach the parent.
 *
 *     weft_token_begin(&self->token, server_token);
 *
 * Thread:  any.
 * Memory:  `child` must be ended by weft_token_end before its memory is freed or used again, and
 *          before `parent` ends.
 */
WEFT_API void weft_token_begin(weft_token *child, weft_token *parent);

/*
 * Ends a token: it leaves its parent, in constant time. A token that weft_token_begin has made must
 * be ended before its memory is freed. After that all of it is zero, as a new token without a
 * parent. Aborts if a child of it has not been ended, or if a task waits for it.
 *
 * Thread:  any, while no other thread uses the token, but for a cancel of its parent.
 */
WEFT_API void weft_token_end(weft_token *token);

/*
 * Cancels a token and all tokens below it. All tasks that wait for one of them are woken. A token
 * that has been cancelled before stays as it is. The tokens below it were cancelled at that time,
 * too.
 *
 * Thread:  any.
 */
WEFT_API void weft_token_cancel(weft_token *token);

/*
 * Returns whether a token has been cancelled. What a thread wrote before it cancelled the token is
 * seen after true.
 *
 * Thread:  any.
 */
WEFT_API bool weft_token_is_cancelled(const weft_token *token);

/*
 * Waits until a token is cancelled.
 *
 *     WEFT_AWAIT(n, weft_select(&self->sel, weft_token_cancelled(&self->wait, token), ...));
 *
 * Thread:  any.
 * Returns: 0, the token has been cancelled.
 * Errors:  none but -ECANCELED, the wait itself was cancelled.
 * Cancel:  WITHDRAWS.
 */
WEFT_API weft_future *weft_token_cancelled(weft_wait *wait, weft_token *token);

/* The state of a weft_token_run, in memory of the caller. */
struct weft_token_run {
    weft_future  future;
    weft_future *inner_;
    weft_waker   seen_; /* with this waker the wait is queued; for comparisons only */
    weft_wait    wait_;
};

/*
 * Runs a future until it ends or a token is cancelled. When the token is cancelled, the future is
 * cancelled and polled until it has ended. If the token has been cancelled before the first poll,
 * the future does not begin. `future` and `token` must stay in place until READY.
 *
 *     future = weft_read(&self->io, conn, self->buf, sizeof self->buf);
 *     WEFT_AWAIT(n, weft_token_run(&self->run, token, future));
 *
 * The future is polled before the token is looked at, so a future that has completed keeps its
 * result. For a limit in time, make the future a weft_timeout.
 *
 * Thread:  the owner of the future.
 * Returns: the result of the future.
 * Errors:  -ECANCELED, the token was cancelled and the future ended without another result.
 *   weft_token_is_cancelled distinguishes this from a cancel of the task.
 * Cancel:  DRAINS, as long as the future does. The result is the result of the future.
 */
WEFT_API weft_future *weft_token_run(struct weft_token_run *run, weft_token *token,
                                     weft_future *future);

WEFT_END_DECLS

#endif
