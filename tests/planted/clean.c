/* clean.c - does what leak.c, use_after_free.c and data_race.c do, rightly: every tool must pass
 * it */
#include "../test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int counter;

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        counter++;
    return NULL;
}

Test(planted, clean)
{
    char     *memory = malloc(64);
    pthread_t thread;

    memset(memory, 1, 64);
    check_eq(memory[63], 1);
    free(memory);
    check_eq(pthread_create(&thread, NULL, count, NULL), 0);
    count(NULL);
    check_eq(pthread_join(thread, NULL), 0);
    check_eq(counter, 2000);
}

Test(planted, dies_as_announced, .signal = SIGABRT)
{
    abort();
}

TEST_ABORTS(planted, says_what_was_announced, "rule three")
{
    fputs("weft: broken: rule three\n", stderr);
    abort();
}
