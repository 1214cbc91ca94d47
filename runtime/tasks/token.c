/*
 * token.c - see weft/token.h
 *
 * Purpose     A tree of flags that can be waited for. Cancelling one cancels all below it.
 * Threads     Any.
 * Invariants  K1 The lock of the root's waits guards the links of all tokens of its tree. The lock
 *             of another token's waits is taken within it, and guards the flag and the waits of
 *             that token. K2 A token is in one list at most: in `children_` of its parent, or in
 *             `firing_` of the root while its waits are being ended. So weft_token_end takes it out
 *             at any time. K3 A cancelled token has no children: they were cancelled with it, and
 *             have left it. K4 The flag is set once. The waits of a token end only after that.
 * Ordering    The locks. [token-1] the flag publishes what the cancelling thread wrote to a thread
 *             that reads it without a lock.
 * Failure     None.
 */
#include "token.h"

#include "waits.h"

static weft_token *root_of(weft_token *token)
{
    return token->root_ ? token->root_ : token;
}

/* ---- lists: the caller holds the root's lock ---- */

static void enlist(weft_token *token, weft_token **list)
{
    token->list_ = list;
    token->prev_ = NULL;
    token->next_ = *list;
    if (*list)
        (*list)->prev_ = token;
    *list = token;
}

static void delist(weft_token *token)
{
    if (!token->list_)
        return;
    if (token->next_)
        token->next_->prev_ = token->prev_;
    if (token->prev_)
        token->prev_->next_ = token->next_;
    else
        *token->list_ = token->next_;
    token->list_ = NULL;
}

/* ---- cancelling ---- */

static bool is_set(const weft_token *token)
{
    return wf_load(&token->cancelled_, ACQUIRE) != 0; /* [token-1] */
}

/* The root's waits are under the root's lock, which the caller holds already. */
static void lock_waits(weft_token *token)
{
    if (token->root_)
        wf_lock(&token->waits_.lock_);
}

static void unlock_waits(weft_token *token)
{
    if (token->root_)
        wf_unlock(&token->waits_.lock_);
}

/* Sets the flags of the token and of all below it, and lists them to have their waits ended. The
 * list of the tokens that are still to be visited takes the place of a recursion. */
static void set_below(weft_token *token, weft_token *root)
{
    weft_token *todo = NULL, *t;

    delist(token);
    enlist(token, &todo);
    while ((t = todo)) {
        delist(t);
        lock_waits(t);
        wf_store(&t->cancelled_, 1, RELEASE); /* [token-1] */
        unlock_waits(t);
        while (t->children_) {
            weft_token *child = t->children_;

            delist(child);
            enlist(child, &todo);
        }
        enlist(t, &root->firing_);
    }
}

static int64_t take(void *object, weft_wait *wait)
{
    (void)wait;
    return is_set(object) ? 0 : -EAGAIN;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* nothing was taken */
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back, .counts = true};

/* Ends the waits of all listed tokens, and unlocks. While the lock is free, for code of other
 * executors, a token may end, or another thread may go on with the list. */
static void fire_unlock(weft_token *root)
{
    wf_wakes    wakes = {0};
    weft_token *t;

    while ((t = root->firing_)) {
        bool more;

        lock_waits(t);
        more = wf_wait_settle_some(&t->waits_, &kind, t, &wakes);
        unlock_waits(t);
        if (!more)
            delist(t);
        if (wf_wakes_full(&wakes) && root->firing_) { /* S5 in waits.h */
            wf_unlock(&root->waits_.lock_);
            wf_wakes_flush(&wakes);
            wf_lock(&root->waits_.lock_);
        }
    }
    wf_unlock(&root->waits_.lock_);
    wf_wakes_flush(&wakes);
}

WEFT_API void weft_token_cancel(weft_token *token)
{
    weft_token *root = root_of(token);

    wf_lock(&root->waits_.lock_);
    if (!is_set(token))
        set_below(token, root);
    fire_unlock(root);
}

WEFT_API bool weft_token_is_cancelled(const weft_token *token)
{
    return is_set(token);
}

/* ---- begin and end ---- */

WEFT_API void weft_token_begin(weft_token *child, weft_token *parent)
{
    weft_token *root = root_of(parent);

    *child = (weft_token){.root_ = root};
    wf_lock(&root->waits_.lock_);
    if (is_set(parent))
        wf_store(&child->cancelled_, 1, RELEASE); /* [token-1] */
    else
        enlist(child, &parent->children_);
    wf_unlock(&root->waits_.lock_);
}

static void refuse_users(weft_token *token)
{
    if (token->children_)
        wf_sync_misuse("weft_token_end", "a child of the token has not been ended", "token", token);
    if (token->waits_.first_)
        wf_sync_misuse("weft_token_end", "a task waits for the token", "token", token);
}

WEFT_API void weft_token_end(weft_token *token)
{
    weft_token *root = root_of(token);

    wf_lock(&root->waits_.lock_);
    refuse_users(token);
    delist(token);
    wf_unlock(&root->waits_.lock_);
    *token = (weft_token){0};
}

/* ---- waiting ---- */

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_token *token = wait->object_;

    return wf_wait_poll_future(future, cx, &token->waits_, &kind);
}

static const weft_future_ops wait_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_token_cancelled", wait_poll, wf_wait_cancel};

WEFT_API weft_future *weft_token_cancelled(weft_wait *wait, weft_token *token)
{
    return wf_wait_init(wait, &wait_ops, token, 0);
}

bool wf_token_poll(weft_wait *wait, weft_context *cx)
{
    weft_token *token = wait->object_;

    return wf_wait_poll(wait, cx, false, true, &token->waits_, &kind) != -EAGAIN;
}

void wf_token_withdraw(weft_wait *wait, weft_context *cx)
{
    weft_token *token = wait->object_;

    (void)wf_wait_poll(wait, cx, true, true, &token->waits_, &kind);
}
