/* data_race.c - a planted bug: two threads write a variable without order between them */
#include "../test.h"

#include <pthread.h>

static volatile int counter;

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        counter = counter + 1;
    return NULL;
}

Test(planted, data_race)
{
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, count, NULL), 0);
    count(NULL);
    check_eq(pthread_join(thread, NULL), 0);
}
