/* test_deque_orders.c - the real deque in every order of its steps: nothing lost, nothing twice */
#include "explore.h"

#include "deque.c"

static wf_deque deque;
static char     tasks[8]; /* their addresses are the tasks */
static int      n_taken[8];
static bool (*push_owner)(wf_deque *d, struct wf_task *t);

static void set_up(void)
{
    push_owner = wf_deque_push_owner;
    deque = (wf_deque){.alloc = &explore_allocator, .buffer = buffer_new(&explore_allocator, 2)};
    memset(n_taken, 0, sizeof n_taken);
}

static void set_up_unfenced(void)
{
    set_up();
    push_owner = wf_deque_push_unfenced_owner;
}

static void push(int i)
{
    check(push_owner(&deque, (struct wf_task *)(void *)&tasks[i]));
}

static bool took(const struct wf_task *t)
{
    if (t)
        n_taken[(const char *)(const void *)t - tasks]++;
    return t;
}

static void steal_two(void)
{
    took(wf_deque_steal_any(&deque));
    took(wf_deque_steal_any(&deque));
}

static void steal_one(void)
{
    took(wf_deque_steal_any(&deque));
}

static void push_pop_push_pop(void)
{
    push(0);
    took(wf_deque_pop_owner(&deque));
    push(1);
    push(2);
    took(wf_deque_pop_owner(&deque));
    took(wf_deque_pop_owner(&deque));
}

static void push_and_take_as_queue(void)
{
    push(0);
    push(1);
    took(wf_deque_steal_any(&deque));
    push(2);
    took(wf_deque_pop_owner(&deque));
}

/* There is room for two. */
static void push_three_and_pop_two(void)
{
    push(0);
    push(1);
    push(2);
    took(wf_deque_pop_owner(&deque));
    took(wf_deque_pop_owner(&deque));
}

/* Each task that was not taken must still be in the deque, once. */
static void claim(void)
{
    while (took(wf_deque_pop_owner(&deque)))
        ;
    check(!wf_deque_steal_any(&deque));
    for (int i = 0; i < 3; i++)
        check_eq(n_taken[i], 1);
    wf_deque_free(&deque);
}

static void (*const owner_and_two_thieves[])(void) = {push_pop_push_pop, steal_two, steal_one};
static void (*const owner_as_thief[])(void) = {push_and_take_as_queue, steal_two, steal_two};
static void (*const thieves_while_it_grows[])(void) = {push_three_and_pop_two, steal_two,
                                                       steal_two};

Test(deque_orders, owner_and_two_thieves_take_each_task_once)
{
    explore(3, 2, set_up, claim, 3, owner_and_two_thieves);
}

Test(deque_orders, owner_and_two_thieves_take_each_task_once_that_is_pushed_unfenced)
{
    explore(3, 2, set_up_unfenced, claim, 3, owner_and_two_thieves);
}

Test(deque_orders, owner_as_thief_and_two_thieves_take_each_task_once)
{
    explore(3, 2, set_up, claim, 3, owner_as_thief);
}

Test(deque_orders, owner_as_thief_and_two_thieves_take_each_task_once_that_is_pushed_unfenced)
{
    explore(3, 2, set_up_unfenced, claim, 3, owner_as_thief);
}

Test(deque_orders, who_steals_while_the_owner_grows_it_takes_each_task_once)
{
    explore(3, 2, set_up, claim, 3, thieves_while_it_grows);
}

Test(deque_orders, who_steals_while_the_owner_grows_it_takes_each_task_once_that_is_pushed_unfenced)
{
    explore(3, 2, set_up_unfenced, claim, 3, thieves_while_it_grows);
}
