/*
 * test_signal.c - waiting for signals
 */
#include "../helpers.h"

#include <sys/wait.h>

#define USR1 WEFT_SIGNAL(SIGUSR1)
#define USR2 WEFT_SIGNAL(SIGUSR2)

struct wait_signal {
    WEFT_FRAME;
    struct {
        uint64_t    set;
        int         n;
        atomic_int *got; /* so many, if it isn't NULL */
    } in;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(wait_signal)
{
    int64_t n = 0;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, self->in.set));
        if (self->in.got)
            ++*self->in.got;
    }
    WEFT_END(n);
}

static weft_runtime *begin(uint64_t set)
{
    check_eq(weft_signal_block(set), 0);
    return start(2);
}

Test(signal, an_empty_set_is_refused)
{
    check_eq(weft_signal_block(0), -EINVAL);
}

Test(signal, a_signal_arrives_with_its_number)
{
    weft_runtime *rt = begin(USR1 | USR2);
    weft_handle   h;
    int           n = n_fds();

    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = USR1 | USR2, .n = 1), 0);
    pause_ms(10);
    check(!weft_is_finished(&h));
    kill(getpid(), SIGUSR2);
    check_eq(join(rt, &h), SIGUSR2);
    check_eq(n_fds(), n);
    stop(rt);
}

Test(signal, one_that_came_before_is_not_lost)
{
    weft_runtime *rt = begin(USR1);

    kill(getpid(), SIGUSR1);
    check_eq(RUN(rt, wait_signal, .set = USR1, .n = 1), SIGUSR1);
    stop(rt);
}

Test(signal, two_waits_in_a_row_get_one_each)
{
    weft_runtime *rt = begin(USR1);
    weft_handle   h;
    atomic_int    got = 0;

    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = USR1, .n = 2, .got = &got), 0);
    kill(getpid(), SIGUSR1);
    EVENTUALLY(got == 1); /* a second one is merged with a first one that is still kept */
    check(!weft_is_finished(&h));
    kill(getpid(), SIGUSR1);
    check_eq(join(rt, &h), SIGUSR1);
    stop(rt);
}

Test(signal, one_of_two_waiting_tasks_gets_it)
{
    weft_runtime *rt = begin(USR1);
    weft_handle   h[2];
    int           first;

    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_on(rt, &h[i], wait_signal, .set = USR1, .n = 1), 0);
    pause_ms(10);
    kill(getpid(), SIGUSR1);
    EVENTUALLY(weft_is_finished(&h[0]) || weft_is_finished(&h[1]));
    first = weft_is_finished(&h[1]);
    check_eq(join(rt, &h[first]), SIGUSR1);
    pause_ms(10);
    check(!weft_is_finished(&h[!first]));
    kill(getpid(), SIGUSR1);
    check_eq(join(rt, &h[!first]), SIGUSR1);
    stop(rt);
}

Test(signal, waits_for_different_signals_do_not_mix)
{
    weft_runtime *rt = begin(USR1 | USR2);
    weft_handle   one, two;

    check_eq(weft_spawn_on(rt, &one, wait_signal, .set = USR1, .n = 1), 0);
    check_eq(weft_spawn_on(rt, &two, wait_signal, .set = USR2, .n = 1), 0);
    pause_ms(5);
    kill(getpid(), SIGUSR2);
    check_eq(join(rt, &two), SIGUSR2);
    check(!weft_is_finished(&one));
    kill(getpid(), SIGUSR1);
    check_eq(join(rt, &one), SIGUSR1);
    stop(rt);
}

struct maybe_signal {
    WEFT_FRAME;
    struct {
        int64_t  n;
        int64_t *sent;
    } in;
    struct weft_signal_wait signal;
    struct weft_select      sel;
    struct counter          turn;
    uint32_t                seed;
    int64_t                 got, i;
};
WEFT_ASYNC(maybe_signal)
{
    int64_t n;

    WEFT_BEGIN();
    self->seed = 9;
    self->got = 0;
    for (self->i = 0; self->i < self->in.n; self->i++) {
        if (*self->in.sent == self->got) { /* never two at once: they would merge */
            ++*self->in.sent;
            kill(getpid(), SIGUSR1);
        }
        WEFT_AWAIT(n, weft_select(&self->sel, weft_signal_wait(&self->signal, USR1),
                                  counter(&self->turn, rnd(&self->seed) % 20)));
        n = weft_future_result(&self->signal.future);
        check(n == SIGUSR1 || n == -ECANCELED);
        self->got += n == SIGUSR1;
    }
    if (self->got < *self->in.sent) { /* the last one is still kept */
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, USR1));
        self->got += n == SIGUSR1;
    }
    WEFT_END(self->got);
}

Test(signal, no_signal_is_lost_among_many_cancels)
{
    weft_runtime *rt = begin(USR1);
    int64_t       sent = 0, got;
    int           n = n_fds();

    if (TEST_TSAN)
        test_skip("TSan delays a handler while its thread sleeps in a call that it does not know");
    got = RUN(rt, maybe_signal, .n = test_scaled(500), .sent = &sent);
    check_eq(got, sent);
    check_cmp(got, >, 0);
    check_eq(n_fds(), n);
    stop(rt);
}

/* ---- whichever thread it is sent to ---- */

struct raise_job {
    int signo;
};
WEFT_BLOCKING(raise_job)
{
    return raise(self->signo);
}

/* Raises the signal on a worker, and then on a thread of the blocking pool. */
struct raise_twice {
    WEFT_FRAME;
    struct {
        atomic_int *got;
    } in;
    struct weft_spawn_blocking job;
    struct weft_sleep          nap;
};
WEFT_ASYNC(raise_twice)
{
    int64_t n;

    WEFT_BEGIN();
    raise(SIGUSR1);
    while (*self->in.got < 1)
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, raise_job, .signo = SIGUSR1));
    WEFT_END(n);
}

static void *raise_here(void *signo)
{
    raise((int)(intptr_t)signo);
    return NULL;
}

Test(signal, one_raised_by_any_thread_reaches_the_wait)
{
    weft_runtime *rt = begin(USR1);
    weft_handle   h;
    atomic_int    got = 0;
    pthread_t     thread;

    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = USR1, .n = 4, .got = &got), 0);
    check_eq(RUN(rt, raise_twice, .got = &got), 0);
    EVENTUALLY(got == 2);
    check_eq(pthread_create(&thread, NULL, raise_here, (void *)(intptr_t)SIGUSR1), 0);
    check_eq(pthread_join(thread, NULL), 0);
    EVENTUALLY(got == 3);
    raise(SIGUSR1);
    check_eq(join(rt, &h), SIGUSR1);
    stop(rt);
}

Test(signal, real_time_signals_are_counted_and_others_are_merged)
{
    weft_runtime *rt = begin(USR1 | WEFT_SIGNAL(SIGRTMIN));
    weft_handle   h;
    atomic_int    got = 0;

    for (int i = 0; i < 3; i++) {
        raise(SIGRTMIN);
        raise(SIGUSR1);
    }
    check_eq(RUN(rt, wait_signal, .set = WEFT_SIGNAL(SIGRTMIN), .n = 3), SIGRTMIN);
    check_eq(RUN(rt, wait_signal, .set = USR1, .n = 1), SIGUSR1);
    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = USR1, .n = 1, .got = &got), 0);
    pause_ms(10);
    check_eq(got, 0);
    raise(SIGUSR1);
    check_eq(join(rt, &h), SIGUSR1);
    stop(rt);
}

/* A host that blocks signals itself, in all of its threads. */
Test(signal, one_that_the_host_blocks_arrives_from_outside)
{
    weft_runtime *rt;
    sigset_t      set;
    weft_handle   h;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    check_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    rt = begin(USR1);
    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = USR2, .n = 1), 0);
    kill(getpid(), SIGUSR2);
    check_eq(join(rt, &h), SIGUSR2);
    check_eq(RUN(rt, wait_signal, .set = USR1 | USR2, .n = 1), -EINVAL);
    check_eq(RUN(rt, wait_signal, .set = 0, .n = 1), -EINVAL);
    stop(rt);
}

/* weft has not taken over this signal, so that it would not get to the wait. It still has its old
 * effect on the process. */
Test(signal, one_that_nothing_keeps_is_refused)
{
    struct lines  log = LINES;
    weft_config   config = {.log = lines_add, .log_arg = &log};
    weft_runtime *rt;

    check_eq(weft_signal_block(USR1), 0);
    check_eq(weft_runtime_start(&config, &rt), 0);
    check_eq(RUN(rt, wait_signal, .set = USR2, .n = 1), -EINVAL);
    check_str_contains(log.text, "was not given to weft_signal_block");
    stop(rt);
}

Test(signal, what_can_not_be_kept_is_refused)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT};
    struct sigaction now;

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check_eq(weft_signal_block(WEFT_SIGNAL(refused[i]) | USR1), -EINVAL);
    check_eq(sigaction(SIGUSR1, NULL, &now), 0);
    check(now.sa_handler == SIG_DFL); /* nor any other of the set */
}

static void skip_under_sanitizers(void)
{
    if (TEST_SANITIZED)
        test_skip("a sanitizer's own threads and locks do not survive a fork");
}

/* It has no runtime that could wait for the signal. */
Test(signal, a_forked_child_is_ended_by_a_signal_as_before)
{
    weft_runtime *rt = begin(WEFT_SIGNAL(SIGTERM));
    weft_handle   h;
    atomic_int    got = 0;
    int           status;
    pid_t         pid;

    skip_under_sanitizers();
    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = WEFT_SIGNAL(SIGTERM), .n = 1, .got = &got),
             0);
    EVENTUALLY(counters(rt).polls > 0);
    pid = fork();
    if (pid == 0) {
        raise(SIGTERM);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    check_eq(got, 0); /* the parent was not told */
    kill(getpid(), SIGTERM);
    check_eq(join(rt, &h), SIGTERM);
    stop(rt);
}

Test(signal, a_forked_child_may_wait_for_signals_of_its_own)
{
    weft_runtime *rt = begin(USR1);
    int           status;
    pid_t         pid;

    skip_under_sanitizers();
    raise(SIGUSR1);
    pid = fork();
    if (pid == 0) {
        alarm(20);
        rt = begin(USR1);
        raise(SIGUSR1);
        _exit(RUN(rt, wait_signal, .set = USR1, .n = 1) == SIGUSR1 ? 0 : 1);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    check_eq(RUN(rt, wait_signal, .set = USR1, .n = 1), SIGUSR1);
    stop(rt);
}

/* The child says itself which signals it keeps. */
Test(signal, a_forked_child_with_signals_of_its_own_is_ended_by_those_of_its_parent)
{
    weft_runtime *rt = begin(WEFT_SIGNAL(SIGTERM));
    int           status;
    pid_t         pid;

    skip_under_sanitizers();
    pid = fork();
    if (pid == 0) {
        check_eq(weft_signal_block(USR1), 0);
        raise(SIGTERM);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    stop(rt);
}

/* The child polls a wait that the parent has begun, and that is in the parent's list only. */
static void check_wait_in_child(bool blocks)
{
    weft_runtime           *rt = begin(USR1);
    struct weft_signal_wait wait;
    struct hand             hand;
    int                     status;
    pid_t                   pid;

    skip_under_sanitizers();
    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_signal_wait(&wait, USR1)));
    pid = fork();
    if (pid == 0) {
        alarm(20);
        if (blocks)
            check_eq(weft_signal_block(USR1), 0);
        _exit(hand_poll(&hand, &wait.future) && wait.future.result == -ECHILD ? 0 : 1);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    raise(SIGUSR1);
    EVENTUALLY(__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE));
    while (!hand_poll(&hand, &wait.future))
        EVENTUALLY(__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE));
    check_eq(wait.future.result, SIGUSR1);
    stop(rt);
}

Test(signal, a_wait_of_the_parent_ends_in_a_forked_child)
{
    check_wait_in_child(false);
}

Test(signal, also_if_the_child_has_a_list_of_its_own)
{
    check_wait_in_child(true);
}

/* Waits come and go while handlers read their list. */
Test(signal, waits_that_come_and_go_are_safe_from_handlers)
{
    weft_runtime           *rt = begin(USR1);
    struct weft_signal_wait wait[4];
    struct timespec         tick = {0};
    timer_t                 timer;

    check_eq(timer_create(CLOCK_MONOTONIC,
                          &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1},
                          &timer),
             0);
    tick.tv_nsec = 50000;
    check_eq(timer_settime(timer, 0, &(struct itimerspec){tick, tick}, NULL), 0);
    for (int64_t i = 0; i < test_scaled(2000); i++) {
        struct weft_select sel;

        check_cmp(weft_block_on(rt, weft_select(&sel, weft_signal_wait(&wait[0], USR1),
                                                weft_signal_wait(&wait[1], USR1),
                                                weft_signal_wait(&wait[2], USR1),
                                                weft_signal_wait(&wait[3], USR1))),
                  >=, 0);
    }
    timer_delete(timer);
    stop(rt);
}
