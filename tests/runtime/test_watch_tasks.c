/* test_watch_tasks.c - a watch between tasks and plain threads, whose waits are given up by chance
 */
#include "crew.h"

#define SENDERS   6 /* half of them tasks, as of all others */
#define RECEIVERS 6
#define MORE      16

/* Each sender adds one. A torn copy shows in the other fields. Small values are read without the
 * lock, and have no `more`. */
struct value {
    int64_t n, check, more[MORE];
};

static size_t value_size;

static void check_is_whole(const struct value *v)
{
    check_eq(v->check, ~v->n);
    for (size_t i = 0; value_size == sizeof *v && i < MORE; i++)
        check_eq(v->more[i], v->n);
}

static bool add_one(void *value, void *arg)
{
    struct value *v = value;

    (void)arg;
    check_is_whole(v);
    v->n++;
    v->check = ~v->n;
    for (size_t i = 0; value_size == sizeof *v && i < MORE; i++)
        v->more[i] = v->n;
    return true;
}

static bool leave_alone(void *value, void *arg)
{
    add_one(value, arg);
    return false;
}

static int64_t rounds(void)
{
    return test_scaled(20000);
}

struct adds_ones {
    WEFT_FRAME;
    struct {
        weft_watch_sender *to;
        int                number;
    } in;
    uint32_t     random;
    int64_t      i;
    struct value value;
};
WEFT_ASYNC(adds_ones)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (self->i = 0; self->i < rounds(); self->i++) {
        check_eq(weft_watch_send_if_modified(self->in.to, add_one, NULL, &self->value), 1);
        if (one_of(&self->random, 3))
            check_eq(weft_watch_send_if_modified(self->in.to, leave_alone, NULL, &self->value), 0);
        if (one_of(&self->random, 2))
            WEFT_YIELD();
    }
    weft_watch_sender_close(self->in.to);
    WEFT_END(0);
}

/* Follows the value to its end, and returns the last one. */
struct follows {
    WEFT_FRAME;
    struct {
        weft_watch_receiver *from;
        int                  number;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
    int64_t         last;
};
/* Reads the value after the receiver has been told of it, and checks that it is a later one. */
static void read_later(struct follows *self)
{
    struct value v;

    if (one_of(&self->random, 2))
        weft_watch_read(self->in.from, &v);
    else
        weft_watch_peek(self->in.from, &v);
    check_is_whole(&v);
    check_cmp(v.n, >=, self->last);
    self->last = v.n;
}

/* Puts a clone in place of the receiver. It has seen the same. */
static void change_over(struct follows *self)
{
    weft_watch_receiver *clone = NULL;

    check_eq(weft_watch_receiver_clone(self->in.from, &clone), 0);
    weft_watch_receiver_close(self->in.from);
    self->in.from = clone;
}

WEFT_ASYNC(follows)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    self->last = 0;
    for (;;) {
        PATIENTLY(weft_watch_changed(&self->wait, self->in.from));
        if (self->wait.future.result == WEFT_EOF)
            break;
        if (self->wait.future.result == 0)
            read_later(self);
        else
            check_eq(self->wait.future.result, -ECANCELED);
        if (one_of(&self->random, 16))
            change_over(self);
    }
    weft_watch_receiver_close(self->in.from);
    WEFT_END(self->last);
}

/* Waits, impatiently, until all receivers are closed. */
struct outlasts {
    WEFT_FRAME;
    struct {
        weft_watch_sender *of;
        int                number;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
};
WEFT_ASYNC(outlasts)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    do
        PATIENTLY(weft_watch_closed(&self->wait, self->in.of));
    while (self->wait.future.result != 0);
    check_eq(weft_watch_receiver_count(self->in.of), 0);
    WEFT_END(0);
}

static void begin_receivers(weft_runtime *rt, weft_watch_sender *of, weft_handle *tasks,
                            struct follows *frames, pthread_t *threads)
{
    weft_watch_receiver *r;

    for (int i = 0; i < RECEIVERS; i++) {
        check_eq(weft_watch_subscribe(of, &r), 0);
        CREW_START(rt, i, tasks, threads, frames, follows, .from = r, .number = i);
    }
}

static void all_see_the_last(weft_runtime *rt)
{
    int64_t              all = SENDERS * rounds();
    weft_watch_sender   *sender;
    weft_watch_receiver *receiver;
    weft_handle          sending[SENDERS], receiving[RECEIVERS];
    struct adds_ones     s_frames[SENDERS];
    struct follows       r_frames[RECEIVERS];
    pthread_t            s_threads[SENDERS], r_threads[RECEIVERS];

    check_eq(weft_watch_open(value_size, &(struct value){0, ~0, {0}}, &sender, &receiver), 0);
    begin_receivers(rt, sender, receiving, r_frames, r_threads);
    for (int i = 0; i < SENDERS; i++) {
        weft_watch_sender *to = weft_watch_sender_clone(sender);

        CREW_START(rt, i, sending, s_threads, s_frames, adds_ones, .to = to, .number = 10 + i);
    }
    weft_watch_sender_close(sender);
    weft_watch_receiver_close(receiver);
    /* The tasks first: nothing else polls those of a current-thread runtime. */
    for (int i = 1; i < SENDERS; i += 2)
        check_eq(join(rt, &sending[i]), 0);
    for (int i = 1; i < RECEIVERS; i += 2)
        check_eq(join(rt, &receiving[i]), all);
    for (int i = 0; i < SENDERS; i += 2)
        pthread_join(s_threads[i], NULL);
    for (int i = 0; i < RECEIVERS; i += 2) {
        pthread_join(r_threads[i], NULL);
        check_eq(weft_future_result(&r_frames[i].weft_frame_.future), all);
    }
}

static void all_see_the_last_value(weft_runtime *rt)
{
    value_size = offsetof(struct value, more);
    all_see_the_last(rt);
}

static void all_see_the_last_large_value(weft_runtime *rt)
{
    value_size = sizeof(struct value);
    all_see_the_last(rt);
}

Test(watch_tasks, all_see_the_last_value_of_a_current_thread, .timeout = 120)
{
    on_current_thread(all_see_the_last_value);
}

Test(watch_tasks, all_see_the_last_value_of_one_worker, .timeout = 120)
{
    on_workers(1, all_see_the_last_value);
}

Test(watch_tasks, all_see_the_last_value_of_two_workers, .timeout = 120)
{
    on_workers(2, all_see_the_last_value);
}

Test(watch_tasks, all_see_the_last_value_of_eight_workers, .timeout = 120)
{
    on_workers(8, all_see_the_last_value);
}

Test(watch_tasks, all_see_the_last_large_value_of_a_current_thread, .timeout = 120)
{
    on_current_thread(all_see_the_last_large_value);
}

Test(watch_tasks, all_see_the_last_large_value_of_two_workers, .timeout = 120)
{
    on_workers(2, all_see_the_last_large_value);
}

Test(watch_tasks, all_see_the_last_large_value_of_eight_workers, .timeout = 120)
{
    on_workers(8, all_see_the_last_large_value);
}

/* ---- the other way round: senders that wait until the receivers have gone ---- */

static void receivers_come_and_go(weft_runtime *rt)
{
    weft_watch_sender   *sender;
    weft_watch_receiver *receiver, *next;
    weft_handle          task;
    struct outlasts      frame;
    pthread_t            other;
    int                  zero = 0;

    for (int64_t round = 0; round < test_scaled(300); round++) {
        check_eq(weft_watch_open(sizeof zero, &zero, &sender, &receiver), 0);
        check_eq(weft_spawn_on(rt, &task, outlasts, .of = sender, .number = (int)round), 0);
        other = thread(run_parked,
                       weft_async(outlasts, &frame, .of = sender, .number = (int)round + 1));
        for (int i = 0; i < 20; i++) {
            check_eq(weft_watch_subscribe(sender, &next), 0);
            weft_watch_receiver_close(receiver);
            receiver = next;
        }
        weft_watch_receiver_close(receiver);
        check_eq(join(rt, &task), 0);
        pthread_join(other, NULL);
        weft_watch_sender_close(sender);
    }
}

Test(watch_tasks, closed_ends_when_the_last_receiver_goes_on_a_current_thread)
{
    on_current_thread(receivers_come_and_go);
}

Test(watch_tasks, closed_ends_when_the_last_receiver_goes_on_eight_workers)
{
    on_workers(8, receivers_come_and_go);
}
