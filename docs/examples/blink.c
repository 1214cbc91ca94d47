/*
 * blink.c - two LEDs and a timer interrupt: no heap, no threads, no runtime
 *
 * weft_local polls futures in memory that the program owns, and sleeps between polls. All but the
 * section "the board" would run on a microcontroller as it stands (docs/design/freestanding.md says
 * how it is built for one); here a signal is the interrupt and standard output is the LEDs. It
 * shows
 *
 *   a driver       the future `delay`, which an interrupt handler wakes
 *   mask, idle     how the program sleeps without missing the interrupt that it sleeps for
 *   cancel         one task ends another in the middle of its delay
 */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <weft/async.h>
#include <weft/local.h>

/* ---- the board ---- */

static void timer_interrupt(int signo);

static void led(const char *name, bool on)
{
    printf("%s %s\n", name, on ? "on" : "off");
}

/* Cortex-M: __disable_irq(). */
static void mask(void *arg)
{
    sigset_t set;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Cortex-M: __enable_irq(). */
static void unmask(void *arg)
{
    sigset_t set;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Cortex-M: __WFI(), which an interrupt ends although it is masked. */
static void idle(void *arg)
{
    sigset_t none;

    (void)arg;
    sigemptyset(&none);
    sigsuspend(&none);
}

static void start_timer(void)
{
    struct itimerval period = {{0, 2000}, {0, 2000}};

    sigaction(SIGALRM, &(struct sigaction){.sa_handler = timer_interrupt}, NULL);
    setitimer(ITIMER_REAL, &period, NULL);
}

/* ---- the driver: delays, counted in interrupts ---- */

struct delay {
    weft_future   future;
    int32_t       ticks, until;
    weft_waker    waker;
    struct delay *next;
};

/* Both belong to the interrupt handler. Other code uses them only while the interrupt is masked. */
static struct delay *pending;
static int32_t       now;

/* Of weft's data, it only changes the flag in each waker. */
static void timer_interrupt(int signo)
{
    (void)signo;
    now++;
    for (struct delay *d = pending; d; d = d->next)
        if (now - d->until >= 0)
            weft_waker_wake_by_ref(&d->waker);
}

static void enlist(struct delay *self)
{
    self->until = now + self->ticks;
    self->next = pending;
    pending = self;
}

static void leave(const struct delay *self)
{
    struct delay **at = &pending;

    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
}

static weft_poll delay_poll(weft_future *future, weft_context *cx)
{
    struct delay *self = weft_container(future, struct delay, future);
    bool          cancelled = weft_future_is_cancelled(future), over;

    mask(NULL);
    if (!self->waker.vtable)
        enlist(self);
    self->waker = weft_waker_clone(weft_context_waker(cx)); /* a local one: nothing to drop */
    over = cancelled || now - self->until >= 0;
    if (over)
        leave(self);
    unmask(NULL);
    if (!over)
        return WEFT_PENDING;
    return weft_ready(future, cancelled ? -ECANCELED : 0);
}

/* The next poll leaves the list. */
static void delay_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *delay(struct delay *self, int32_t ticks)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "delay",
                                        .poll = delay_poll,
                                        .cancel = delay_cancel};

    weft_future_init(&self->future, &ops);
    self->ticks = ticks;
    self->waker.vtable = NULL;
    return &self->future;
}

/* ---- the program ---- */

struct blink {
    WEFT_FRAME;
    struct {
        const char *led;
        int32_t     ticks;
        int         times;
    } in;
    struct delay delay;
    int          i;
};
WEFT_ASYNC(blink)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 2 * self->in.times; self->i++) {
        led(self->in.led, self->i % 2 == 0);
        WEFT_AWAIT(n, delay(&self->delay, self->in.ticks));
        if (n < 0) {
            led(self->in.led, false);
            WEFT_RETURN(n);
        }
    }
    WEFT_END(0);
}

struct stop_after {
    WEFT_FRAME;
    struct {
        int32_t          ticks;
        weft_local_task *task;
    } in;
    struct delay delay;
};
WEFT_ASYNC(stop_after)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, delay(&self->delay, self->in.ticks));
    weft_local_cancel(self->in.task);
    WEFT_END(n);
}

int main(void)
{
    static const weft_local_port port = {.mask = mask, .idle = idle, .unmask = unmask};
    static weft_local            local;
    static weft_local_task       red_task, green_task, stop_task;
    static struct blink          red, green;
    static struct stop_after     stop;

    start_timer();
    weft_local_init(&local, &port);
    weft_local_add(&local, &red_task,
                   weft_async(blink, &red, .led = "red", .ticks = 3, .times = 2));
    weft_local_add(&local, &green_task,
                   weft_async(blink, &green, .led = "green", .ticks = 100000, .times = 2));
    weft_local_add(&local, &stop_task,
                   weft_async(stop_after, &stop, .ticks = 20, .task = &green_task));
    weft_local_run(&local);
    printf("red %lld, green %lld\n", (long long)weft_future_result(red_task.future),
           (long long)weft_future_result(green_task.future));
    return 0;
}
