/*
 * explore_schedule.h - one schedule of the explorer: the choices that were taken, and what happened
 *
 * A schedule is a list of numbers: at each point which of how many choices was taken. 0 is the
 * usual one: the same thread continues, and sees the newest value. A check that fails prints the
 * numbers that are not 0, and the steps. docs/design/models.md explains the output.
 */
#ifndef EXPLORE_SCHEDULE_H
#define EXPLORE_SCHEDULE_H

#include "../helpers.h"

#define EXPLORE_STEPS 4096
#define EXPLORE_TOLD  500 /* steps at either end that are printed */

struct explore_site {
    const char *file;
    int         line;
    const char *what;
};

static struct explore_schedule {
    int      depth, choice[EXPLORE_STEPS], n_choices[EXPLORE_STEPS];
    uint64_t n_schedules;
    bool     exploring, replays;
    int      n_calls;           /* of explore(), in this program */
    int      preemptions, late; /* how many it may still have */
    /* What has happened, for printing. */
    int n_steps;
    struct explore_step {
        int                        thread;
        const char                *mark; /* "", or "~" or "<": see explore_tell */
        const struct explore_site *site;
    } step[EXPLORE_STEPS];
} explorer_schedule;

/* ---- saying what happened ---- */

static const char *explore_file(const struct explore_site *site)
{
    const char *slash = strrchr(site->file, '/');

    return slash ? slash + 1 : site->file;
}

static void explore_tell_replay(void)
{
    const char *space = "";

    fprintf(stderr, "schedule %llu: EXPLORE_REPLAY=\"%d/",
            (unsigned long long)explorer_schedule.n_schedules + 1, explorer_schedule.n_calls);
    for (int i = 0; i < explorer_schedule.depth; i++)
        if (explorer_schedule.choice[i] > 0) {
            fprintf(stderr, "%s%d:%d", space, i, explorer_schedule.choice[i]);
            space = " ";
        }
    fprintf(stderr, "\"\n");
}

/* Prints a line each time that another thread runs: its number, and the source lines of its
 * steps. */
static void explore_tell(void)
{
    static bool told;
    int         last = -1;
    const char *file = "";

    if (told || !explorer_schedule.exploring)
        return;
    told = true;
    explore_tell_replay();
    if (explorer_schedule.replays)
        return; /* each step has been printed */
    fprintf(stderr,
            "(~T:LINE, what thread T wrote there is not seen; "
            "<T:LINE, the next write comes before it)");
    for (int i = 0; i < explorer_schedule.n_steps; i++) {
        struct explore_step *s = &explorer_schedule.step[i];

        if (i == EXPLORE_TOLD &&
            explorer_schedule.n_steps > 2 * EXPLORE_TOLD) { /* a loop that does not end */
            fprintf(stderr, " ...");
            i = explorer_schedule.n_steps - EXPLORE_TOLD;
        }
        if (!s->mark[0] && s->thread != last) {
            last = s->thread;
            file = "";
            fprintf(stderr, "\n  %d ", last);
        }
        fprintf(stderr, " %s", s->mark);
        if (s->mark[0])
            fprintf(stderr, "%d:", s->thread);
        if (strcmp(file, explore_file(s->site)) != 0)
            fprintf(stderr, "%s:", file = explore_file(s->site));
        fprintf(stderr, "%d", s->site->line);
    }
    fprintf(stderr, "\n");
}

#define test_fail(...) (explore_tell(), (test_fail)(__VA_ARGS__))

static void explore_died(int signal_)
{
    explore_tell();
    signal(signal_, SIG_DFL);
    raise(signal_);
}

static void explore_record(int thread, const char *mark, const struct explore_site *site)
{
    struct explore_schedule *x = &explorer_schedule;

    check(x->n_steps < EXPLORE_STEPS); /* else a thread never ends */
    x->step[x->n_steps++] = (struct explore_step){thread, mark, site};
    if (x->replays)
        fprintf(stderr, "%*s%d%-2s %s:%d %s\n", thread * 4, "", thread, mark, explore_file(site),
                site->line, site->what);
}

/* ---- choosing ---- */

static int explore_choose(int n)
{
    struct explore_schedule *x = &explorer_schedule;

    if (n == 1)
        return 0;
    check(x->depth < EXPLORE_STEPS);
    if (x->n_choices[x->depth] == 0)
        x->n_choices[x->depth] = n;
    check_eq(x->n_choices[x->depth], n); /* else the threads depend on more than the schedule */
    check_cmp(x->choice[x->depth], <, n);
    return x->choice[x->depth++];
}

static void explore_begin_schedule(int preemptions, int late)
{
    struct explore_schedule *x = &explorer_schedule;

    x->depth = x->n_steps = 0;
    x->preemptions = preemptions;
    x->late = late;
}

/* Moves on to the next explorer_schedule. Returns false after the last one. */
static bool explore_next(void)
{
    struct explore_schedule *x = &explorer_schedule;

    x->n_schedules++;
    while (x->depth > 0 && x->choice[x->depth - 1] + 1 == x->n_choices[x->depth - 1]) {
        x->depth--;
        x->n_choices[x->depth] = x->choice[x->depth] = 0;
    }
    if (x->depth == 0)
        return false;
    x->choice[x->depth - 1]++;
    return !x->replays;
}

/* A test case may explore several times. Returns whether this is the call that is replayed. */
static bool explore_read_replay(const char *text)
{
    int call, at, choice, n = 0;

    check(sscanf(text, "%d/%n", &call, &n) == 1);
    if (explorer_schedule.n_calls != call)
        return false;
    for (text += n; sscanf(text, "%d:%d%n", &at, &choice, &n) == 2; text += n) {
        check(at >= 0 && at < EXPLORE_STEPS);
        explorer_schedule.choice[at] = choice;
    }
    explorer_schedule.replays = true;
    return true;
}

#endif
