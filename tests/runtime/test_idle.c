/*
 * test_idle.c - waiting costs nothing: two polls a read, no system call while nothing happens
 */
#include "../actors.h"
#include "../sockets.h"

struct read_counted {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        atomic_int  *polls;
        int          n;
    } in;
    weft_io        io;
    struct watched counted;
    char           buffer[64];
};
WEFT_ASYNC(read_counted)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, watched(&self->counted, weft_read(&self->io, self->in.stream, self->buffer,
                                                        sizeof self->buffer)));
        check_cmp(n, >, 0);
        *self->in.polls = self->counted.n_polls;
    }
    WEFT_END(0);
}

Test(idle, a_read_on_an_idle_socket_is_polled_exactly_twice)
{
    weft_runtime *rt = start(2);
    weft_stream  *s;
    weft_handle   h;
    atomic_int    polls = 0;
    int           fd = pair(rt, &s);

    check_eq(weft_spawn_on(rt, &h, read_counted, .stream = s, .polls = &polls, .n = 20), 0);
    for (int i = 0; i < 20; i++) {
        pause_ms(i == 0 ? 50 : 10); /* it waits, its poll is armed */
        check_eq(polls, 0);
        raw_write(fd, "ping", 4);
        EVENTUALLY(polls != 0);
        check_eq(polls, 2); /* the first arms, the second completes */
        polls = 0;
    }
    check_eq(join(rt, &h), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(idle, a_read_of_bytes_that_are_there_is_polled_once)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    atomic_int    polls = 0;
    int           fd = pair(rt, &s);

    raw_write(fd, "ping", 4);
    pause_ms(10);
    check_eq(RUN(rt, read_counted, .stream = s, .polls = &polls, .n = 1), 0);
    check_eq(polls, 1);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

/* ---- an idle process ---- */

/* The total of the runtime's threads: CPU time in ns, and how often they were put on a CPU. */
static void add_up(uint64_t *ret_ns, uint64_t *ret_turns, int *ret_n)
{
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *entry;

    *ret_ns = *ret_turns = 0;
    *ret_n = 0;
    while ((entry = readdir(dir))) {
        char               path[64], name[32] = "";
        unsigned long long ns, wait, turns;
        FILE              *f;

        snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", entry->d_name);
        if (!(f = fopen(path, "re")))
            continue;
        bool ours = fgets(name, sizeof name, f) && strncmp(name, "weft-", 5) == 0;
        fclose(f);
        snprintf(path, sizeof path, "/proc/self/task/%.20s/schedstat", entry->d_name);
        if (!ours || !(f = fopen(path, "re")))
            continue;
        check_eq(fscanf(f, "%llu %llu %llu", &ns, &wait, &turns), 3);
        fclose(f);
        *ret_ns += ns;
        *ret_turns += turns;
        ++*ret_n;
    }
    closedir(dir);
}

/* Fails unless the threads of the runtime stay off the CPUs for the whole time, once quiet. */
static void check_idle(int64_t ms)
{
    uint64_t ns, turns, ns_after, turns_after;
    int      n, n_after, rounds = 0, n_quiet = 0;

    /* What went before ebbs away. On a busy machine a thread may wait for a CPU for a whole
     * round. */
    do {
        check_cmp(rounds++, <, 100);
        add_up(&ns, &turns, &n);
        pause_ms(100);
        add_up(&ns_after, &turns_after, &n_after);
        n_quiet = ns == ns_after && turns == turns_after ? n_quiet + 1 : 0;
    } while (n_quiet < 3);
    check_cmp(n, >=, 3);
    pause_ms(ms);
    add_up(&ns_after, &turns_after, &n_after);
    check_eq(n_after, n);
    check_eq(turns_after, turns);
    check_eq(ns_after, ns);
}

Test(idle, a_new_runtime_uses_no_cpu)
{
    weft_runtime *rt = start(2);

    check_idle(1000);
    stop(rt);
}

struct idle_job {
    int unused;
};
WEFT_BLOCKING(idle_job)
{
    return self->unused;
}

#define N_IDLE 20

static void work(weft_runtime *rt)
{
    struct weft_spawn_blocking job;

    for (int i = 0; i < 200; i++) {
        check_eq(RUN(rt, sleeps, .duration = i * 1000), 0);
        check_eq(weft_block_on(rt, weft_spawn_blocking(&job, idle_job, .unused = i)), i);
    }
}

Test(idle, a_server_that_has_worked_uses_no_cpu, .timeout = 60)
{
    weft_runtime  *rt = start_with(&(weft_config){.workers = 2, .blocking_keep_ms = 1});
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s[N_IDLE];
    weft_handle    reader[N_IDLE], sleeper[N_IDLE], acceptor;
    struct weft_runtime_counters before, after;
    atomic_int                   polls = 0;
    int                          fd[N_IDLE];

    check_eq(weft_spawn_on(rt, &acceptor, accepts, .listener = l), 0);
    for (int i = 0; i < N_IDLE; i++) {
        fd[i] = pair(rt, &s[i]);
        check_eq(
            weft_spawn_on(rt, &reader[i], read_counted, .stream = s[i], .polls = &polls, .n = 2),
            0);
        check_eq(weft_spawn_on(rt, &sleeper[i], sleeps, .duration = WEFT_S(60 + 600 * i)), 0);
        raw_write(fd[i], "once", 4);
    }
    work(rt);
    EVENTUALLY(counters(rt).blocking_threads == 0);
    check_idle(100);
    before = counters(rt);
    check_idle(3000);
    after = counters(rt);
    check_eq(after.reactor_enters, before.reactor_enters); /* no system call at all */
    check_eq(after.parks, before.parks);
    check_eq(after.polls, before.polls);
    for (int i = 0; i < N_IDLE; i++) { /* and yet all is alive */
        raw_write(fd[i], "again", 5);
        check_eq(join(rt, &reader[i]), 0);
        weft_cancel(&sleeper[i]);
        check_eq(join(rt, &sleeper[i]), -ECANCELED);
        weft_stream_close(s[i]);
        close(fd[i]);
    }
    weft_cancel(&acceptor);
    check_eq(join(rt, &acceptor), -ECANCELED);
    weft_listener_close(l);
    stop(rt);
}

Test(idle, a_distant_timer_uses_no_cpu)
{
    weft_runtime *rt = start(2);
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, sleeps, .duration = WEFT_S(3600)), 0);
    check_eq(RUN(rt, sleeps, .duration = WEFT_MS(3)), 0);
    check_idle(1000);
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    stop(rt);
}
