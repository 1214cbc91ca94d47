/* signals.c - a server that ends on a signal */
#include "expect.h"
#include <unistd.h>

struct signals {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(signals)
{
    int64_t n;

    WEFT_BEGIN();
    EXPECT(kill(getpid(), SIGTERM) == 0); /* another process would do that */
    WEFT_AWAIT(n, weft_signal_wait(&self->signal, WEFT_SIGNAL(SIGTERM) | WEFT_SIGNAL(SIGINT)));
    EXPECT(n == SIGTERM);
    WEFT_END(0);
}

int main(void)
{
    /* Stopping waits two seconds at most for tasks that have not ended by themselves. */
    const weft_config config = {.stop_ms = 2000};

    /* First of all, while there is one thread: from here on the signals are kept for
     * weft_signal_wait. */
    EXPECT(weft_signal_block(WEFT_SIGNAL(SIGTERM) | WEFT_SIGNAL(SIGINT)) == 0);
    return weft_main_with(&config, signals);
}
