/* groups.h - the scenarios in which one task waits for several futures; a part of scenario.c */
struct chooses {
    WEFT_FRAME;
    struct {
        uint32_t a, b;
    } in;
    struct weft_select select;
    struct tick        tick[2];
};
WEFT_ASYNC(chooses)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select(&self->select, tick(&self->tick[0], self->in.a),
                              tick(&self->tick[1], self->in.b)));
    WEFT_END(n);
}

static struct chooses chooser;

void scenario_select_ends_with_the_first_tick_and_cancels_the_other(void)
{
    begin();
    add(0, weft_async(chooses, &chooser, .a = 1000000, .b = 2));
    run();
    expect_eq(result(0), 1);
    expect_eq(weft_future_result(&chooser.tick[0].future), -ECANCELED);
    expect(weft_future_result(&chooser.tick[1].future) >= 2);
    expect_eq(weft_select_undone(&chooser.select), 0);
}

void scenario_select_starts_anywhere(void)
{
    int won[2] = {0, 0};

    begin();
    for (int i = 0; i < 64; i++) {
        add(0, weft_async(chooses, &chooser, .a = 0, .b = 0));
        run();
        won[result(0)]++;
    }
    expect(won[0] > 8);
    expect(won[1] > 8);
}

struct keeps {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select select;
    struct tick        slow, fast;
    int                n_fast;
};
WEFT_ASYNC(keeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_fast = 0;
    tick(&self->slow, 40);
    do {
        WEFT_AWAIT(n, weft_select_biased(&self->select, tick(&self->fast, 1),
                                         weft_keep(&self->slow.future)));
        self->n_fast += n == 0;
    } while (n == 0);
    WEFT_END(self->n_fast);
}

void scenario_a_kept_branch_goes_on(void)
{
    static struct keeps keeper;
    uint32_t            start = now();

    begin();
    add(0, weft_async(keeps, &keeper));
    run();
    expect(result(0) >= 1 && result(0) <= 40); /* a slow machine may miss interrupts */
    expect(weft_future_result(&keeper.slow.future) >= start + 40); /* and was never cancelled */
}

struct joins {
    WEFT_FRAME;
    struct {
        uint32_t n, times;
    } in;
    struct weft_join_all all;
    struct tick          tick[3];
    struct sleeps        child;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_join_all(&self->all, tick(&self->tick[0], self->in.n),
                                tick(&self->tick[1], self->in.n + 1),
                                weft_async(sleeps, &self->child, .n = 2, .times = self->in.times),
                                tick(&self->tick[2], self->in.n * 3)));
    WEFT_END(n);
}

void scenario_join_all_waits_for_all(void)
{
    static struct joins joiner[2];

    begin();
    add(0, weft_async(joins, &joiner[0], .n = 1, .times = 3));
    add(1, weft_async(joins, &joiner[1], .n = 4, .times = 3));
    run();
    for (int i = 0; i < 2; i++) {
        expect_eq(result(i), 0);
        expect_eq(weft_future_result(&joiner[i].child.weft_frame_.future), 3);
        for (unsigned k = 0; k < COUNT(joiner[i].tick); k++)
            expect(weft_future_result(&joiner[i].tick[k].future) > 0);
    }
}

struct fails {
    WEFT_FRAME;
    struct {
    } in;
    struct tick tick;
};
WEFT_ASYNC(fails)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, tick(&self->tick, 1));
    WEFT_END(n < 0 ? n : -EIO);
}

struct tries {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_try_join all;
    struct tick          tick;
    struct fails         child;
};
WEFT_ASYNC(tries)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, weft_try_join(&self->all, tick(&self->tick, 1000000), weft_async(fails, &self->child)));
    WEFT_END(n);
}

void scenario_try_join_ends_with_the_first_error(void)
{
    static struct tries trier;

    begin();
    add(0, weft_async(tries, &trier));
    run();
    expect_eq(result(0), -EIO);
    expect_eq(weft_future_result(&trier.tick.future), -ECANCELED);
}
