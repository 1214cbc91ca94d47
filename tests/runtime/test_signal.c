/*
 * test_signal.c - waiting for signals
 */
#include "../net_helpers.h"

#define USR1 WEFT_SIGNAL(SIGUSR1)
#define USR2 WEFT_SIGNAL(SIGUSR2)

struct wait_signal {
    WEFT_FRAME;
    struct {
        uint64_t set;
        int      n;
    } in;
    weft_signal signal;
};
WEFT_ASYNC(wait_signal)
{
    int64_t n = 0;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--)
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, self->in.set));
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
    check_eq(JOIN(rt, &h), SIGUSR2);
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
    sigset_t      pending;

    check_eq(weft_spawn_on(rt, &h, wait_signal, .set = USR1, .n = 2), 0);
    kill(getpid(), SIGUSR1);
    do { /* a second one is merged with a pending first one */
        pause_ms(1);
        check_eq(sigpending(&pending), 0);
    } while (sigismember(&pending, SIGUSR1));
    check(!weft_is_finished(&h));
    kill(getpid(), SIGUSR1);
    check_eq(JOIN(rt, &h), SIGUSR1);
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
    check_eq(JOIN(rt, &h[first]), SIGUSR1);
    pause_ms(10);
    check(!weft_is_finished(&h[!first]));
    kill(getpid(), SIGUSR1);
    check_eq(JOIN(rt, &h[!first]), SIGUSR1);
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
    check_eq(JOIN(rt, &two), SIGUSR2);
    check(!weft_is_finished(&one));
    kill(getpid(), SIGUSR1);
    check_eq(JOIN(rt, &one), SIGUSR1);
    stop(rt);
}

struct maybe_signal {
    WEFT_FRAME;
    struct {
        int64_t  n;
        int64_t *sent;
    } in;
    weft_signal signal;
    weft_select sel;
    ticks       turn;
    uint32_t    seed;
    int64_t     got, i;
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
                                  after_ticks(&self->turn, rnd(&self->seed) % 20)));
        n = weft_future_result(&self->signal.future);
        check(n == SIGUSR1 || n == -ECANCELED);
        self->got += n == SIGUSR1;
    }
    WEFT_END(self->got);
}

Test(signal, no_signal_is_lost_among_many_cancels)
{
    weft_runtime *rt = begin(USR1);
    int64_t       sent = 0, got;
    int           n = n_fds();
    sigset_t      pending;

    got = RUN(rt, maybe_signal, .n = test_scaled(500), .sent = &sent);
    sigpending(&pending);
    check_eq(got + sigismember(&pending, SIGUSR1), sent);
    check_cmp(got, >, 0);
    check_eq(n_fds(), n);
    stop(rt);
}

Test(signal, the_runtimes_threads_take_no_signals)
{
    test_skip_under_valgrind("threads' masks are its own");

    weft_runtime  *rt = start(2);
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        char  path[64], line[256];
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%.20s/status", entry->d_name);
        if (atoi(entry->d_name) == getpid() || !(f = fopen(path, "re")))
            continue;
        bool ours = fgets(line, sizeof line, f) && strstr(line, "weft-");
        while (ours && fgets(line, sizeof line, f))
            if (strncmp(line, "SigBlk:", 7) == 0) /* all that can be blocked */
                check_eq(strtoull(line + 7, NULL, 16) | 0x180040100, ~UINT64_C(0));
        fclose(f);
    }
    closedir(dir);
    stop(rt);
}
