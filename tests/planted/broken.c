/* broken.c - cases that must fail under either runner, each in its own way */
#include "../test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Test(broken, check)
{
    check(1 + 1 == 3);
}

Test(broken, check_eq)
{
    check_eq(1 + 1, 3);
}

static void *fail(void *arg)
{
    (void)arg;
    check_str_eq("a", "b");
    return NULL;
}

Test(broken, check_in_a_thread)
{
    pthread_t thread;

    pthread_create(&thread, NULL, fail, NULL);
    pthread_join(thread, NULL);
}

Test(broken, crash)
{
    abort();
}

Test(broken, hang, .timeout = 0.2)
{
    pause();
}

Test(broken, no_signal, .signal = SIGABRT)
{
}

Test(broken, check_where_a_signal_is_due, .signal = SIGABRT)
{
    check(false);
}

TEST_ABORTS(broken, no_abort, "")
{
}

TEST_ABORTS(broken, other_text, "rule three")
{
    fputs("weft: broken: rule four\n", stderr);
    abort();
}

TEST_ABORTS(broken, check_where_an_abort_is_due, "false")
{
    check(false);
}
