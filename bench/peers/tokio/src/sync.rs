//! Benchmarks of locks, channels and limits; bench/sync*.c are weft's.

use crate::bench::{expect, Bench, Clock, Countdown};
use std::future::{poll_fn, ready, Future};
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch, Mutex, Notify, RwLock, Semaphore};
use tokio::task::yield_now;
use tokio::time::timeout;

/// Operations of a task in a round; sync_*.c name the same numbers.
const EACH: i64 = 10_000;
const TRIPS: i64 = 1000;
const CAPACITY: usize = 128;
const PERMITS: i64 = 4;
const WRITE_EVERY: i64 = 16;
const FOLLOWERS: i64 = 4;
const BATCH: i64 = 100;
const LIMIT: Duration = Duration::from_secs(10);

pub const BENCHES: &[Bench] = &[
    Bench::new("sync/oneshot", |run| run.task(oneshots)),
    Bench::new("sync/oneshot_wait", |run| run.task(oneshot_wait)),
    Bench::new("sync/mpsc_1_1", |run| run.task(mpsc_n_1::<1>)),
    Bench::new("sync/mpsc_4_1", |run| run.task(mpsc_n_1::<4>)),
    Bench::new("sync/mpmc_4_4", |run| run.task(mpmc_4_4)),
    Bench::new("sync/mutex_1", |run| run.task(mutex::<1, false>)),
    Bench::new("sync/mutex_8", |run| run.task(mutex::<8, false>)),
    Bench::new("sync/mutex_8_held", |run| run.task(mutex::<8, true>)),
    Bench::new("sync/rwlock_1", |run| run.task(rwlock::<1, false>)),
    Bench::new("sync/rwlock_8", |run| run.task(rwlock::<8, false>)),
    Bench::new("sync/rwlock_8_held", |run| run.task(rwlock::<8, true>)),
    Bench::new("sync/semaphore_1", |run| run.task(semaphore::<1, false>)),
    Bench::new("sync/semaphore_8", |run| run.task(semaphore::<8, false>)),
    Bench::new("sync/semaphore_8_held", |run| {
        run.task(semaphore::<8, true>)
    }),
    Bench::new("sync/notify", |run| run.task(notify)),
    Bench::new("sync/broadcast_1_4", |run| run.task(broadcast_1_4)),
    Bench::new("sync/watch_1_4", |run| run.task(watch_1_4)),
    Bench::new("sync/timeout_ready", |run| run.task(timeout_ready)),
    Bench::new("sync/timeout_pending", |run| run.task(timeout_pending)),
];

/// The sum of some whole numbers.
fn sum(numbers: Range<i64>) -> i64 {
    numbers.sum()
}

/// What tasks counted and summed up, each when it ended.
#[derive(Default)]
struct Totals {
    n: AtomicI64,
    sum: AtomicI64,
}

impl Totals {
    /// For the rest of the process, as the count-down is.
    fn leaked() -> &'static Totals {
        Box::leak(Box::default())
    }

    fn add(&self, n: i64, sum: i64) {
        self.n.fetch_add(n, Ordering::Relaxed);
        self.sum.fetch_add(sum, Ordering::Relaxed);
    }

    /// Checks them and begins again; answers the number.
    fn end(&self, n: i64, sum: i64) -> u64 {
        expect(
            "what the tasks counted",
            self.n.swap(0, Ordering::Relaxed),
            n,
        );
        expect("their sum", self.sum.swap(0, Ordering::Relaxed), sum);
        n as u64
    }
}

// ---- oneshot ----

async fn oneshots(clock: Clock) -> u64 {
    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let mut ops = 0;
    loop {
        ended.begin(1);
        tokio::spawn(async move {
            let mut sum = 0;
            for k in 0..EACH {
                let (sender, receiver) = oneshot::channel();
                sender.send(k).unwrap();
                sum += receiver.await.unwrap();
            }
            totals.add(EACH, sum);
            ended.down();
        });
        ended.wait().await;
        ops += totals.end(EACH, sum(0..EACH));
        if !clock.more() {
            return ops;
        }
    }
}

type Senders = Vec<oneshot::Sender<i64>>;
type Receivers = Vec<oneshot::Receiver<i64>>;

fn open_oneshots() -> (Senders, Receivers) {
    (0..TRIPS).map(|_| oneshot::channel()).unzip()
}

async fn oneshot_wait(clock: Clock) -> u64 {
    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let mut ops = 0;
    loop {
        let (there, at_there) = open_oneshots();
        let (back, at_back) = open_oneshots();
        ended.begin(2);
        tokio::spawn(async move {
            let mut number = 0;
            for (there, back) in there.into_iter().zip(at_back) {
                there.send(number).unwrap();
                number = back.await.unwrap() + 1;
            }
            totals.add(2 * TRIPS, number);
            ended.down();
        });
        tokio::spawn(async move {
            for (there, back) in at_there.into_iter().zip(back) {
                back.send(there.await.unwrap() + 1).unwrap();
            }
            ended.down();
        });
        ended.wait().await;
        ops += totals.end(2 * TRIPS, 2 * TRIPS);
        if !clock.more() {
            return ops;
        }
    }
}

// ---- mpsc, mpmc ----

async fn mpsc_n_1<const SENDERS: i64>(clock: Clock) -> u64 {
    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let mut ops = 0;
    loop {
        let (sender, mut receiver) = mpsc::channel(CAPACITY);
        ended.begin(SENDERS + 1);
        tokio::spawn(async move {
            let (mut n, mut sum) = (0, 0);
            while let Some(k) = receiver.recv().await {
                n += 1;
                sum += k;
            }
            totals.add(n, sum);
            ended.down();
        });
        for _ in 0..SENDERS {
            let sender = sender.clone();
            tokio::spawn(async move {
                for k in 0..EACH {
                    sender.send(k).await.unwrap();
                }
                drop(sender);
                ended.down();
            });
        }
        drop(sender);
        ended.wait().await;
        ops += totals.end(EACH * SENDERS, sum(0..EACH) * SENDERS);
        if !clock.more() {
            return ops;
        }
    }
}

/// Tokio has no such channel; its users take this one.
async fn mpmc_4_4(clock: Clock) -> u64 {
    const ENDS: i64 = 4;

    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let mut ops = 0;
    loop {
        let (sender, receiver) = async_channel::bounded(CAPACITY);
        ended.begin(2 * ENDS);
        for _ in 0..ENDS {
            let receiver = receiver.clone();
            tokio::spawn(async move {
                let (mut n, mut sum) = (0, 0);
                while let Ok(k) = receiver.recv().await {
                    n += 1;
                    sum += k;
                }
                totals.add(n, sum);
                ended.down();
            });
        }
        for _ in 0..ENDS {
            let sender = sender.clone();
            tokio::spawn(async move {
                for k in 0..EACH {
                    sender.send(k).await.unwrap();
                }
                drop(sender);
                ended.down();
            });
        }
        drop((sender, receiver));
        ended.wait().await;
        ops += totals.end(EACH * ENDS, sum(0..EACH) * ENDS);
        if !clock.more() {
            return ops;
        }
    }
}

// ---- locks ----

async fn mutex<const TASKS: i64, const HELD: bool>(clock: Clock) -> u64 {
    let ended = Countdown::leaked();
    let mut ops = 0;
    loop {
        let value = Arc::new(Mutex::new(0));
        ended.begin(TASKS);
        for _ in 0..TASKS {
            let value = value.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let mut value = value.lock().await;
                    let before = *value;
                    if HELD {
                        yield_now().await;
                    }
                    *value = before + 1;
                }
                ended.down();
            });
        }
        ended.wait().await;
        let n = *value.lock().await;
        expect("what the holders of the mutex counted", n, EACH * TASKS);
        ops += n as u64;
        if !clock.more() {
            return ops;
        }
    }
}

async fn rwlock<const TASKS: i64, const HELD: bool>(clock: Clock) -> u64 {
    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let writes = (EACH + WRITE_EVERY - 1) / WRITE_EVERY;
    let mut ops = 0;
    loop {
        let value = Arc::new(RwLock::new(0));
        ended.begin(TASKS);
        for _ in 0..TASKS {
            let value = value.clone();
            tokio::spawn(async move {
                for k in 0..EACH {
                    if k % WRITE_EVERY == 0 {
                        let mut value = value.write().await;
                        let before = *value;
                        if HELD {
                            yield_now().await;
                        }
                        *value = before + 1;
                    } else {
                        let value = value.read().await;
                        let before = *value;
                        if HELD {
                            yield_now().await;
                        }
                        expect("what a reader sees", *value, before);
                    }
                }
                totals.add(EACH, 0);
                ended.down();
            });
        }
        ended.wait().await;
        expect(
            "what the writers counted",
            *value.read().await,
            writes * TASKS,
        );
        ops += totals.end(EACH * TASKS, 0);
        if !clock.more() {
            return ops;
        }
    }
}

async fn semaphore<const TASKS: i64, const HELD: bool>(clock: Clock) -> u64 {
    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let holders: &'static AtomicI64 = Box::leak(Box::default());
    let mut ops = 0;
    loop {
        let semaphore = Arc::new(Semaphore::new(PERMITS as usize));
        ended.begin(TASKS);
        for _ in 0..TASKS {
            let semaphore = semaphore.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let _permit = semaphore.acquire().await.unwrap();
                    if HELD {
                        let n = holders.fetch_add(1, Ordering::Relaxed);
                        expect("whether a permit was left", n < PERMITS, true);
                        yield_now().await;
                        holders.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                totals.add(EACH, 0);
                ended.down();
            });
        }
        ended.wait().await;
        let permits = semaphore.available_permits() as i64;
        expect("permits that came back", permits, PERMITS);
        ops += totals.end(EACH * TASKS, 0);
        if !clock.more() {
            return ops;
        }
    }
}

// ---- notify, broadcast, watch ----

struct Turns {
    turn: [Notify; 2],
    value: AtomicI64,
}

async fn notify(clock: Clock) -> u64 {
    let ended = Countdown::leaked();
    let turns: &'static Turns = Box::leak(Box::new(Turns {
        turn: [Notify::new(), Notify::new()],
        value: AtomicI64::new(0),
    }));
    let mut ops = 0;
    loop {
        turns.value.store(0, Ordering::Relaxed);
        turns.turn[0].notify_one();
        ended.begin(2);
        for number in 0..2 {
            tokio::spawn(async move {
                for k in 0..EACH {
                    turns.turn[number].notified().await;
                    // The task whose turn it is counts: a load and a store.
                    let value = turns.value.load(Ordering::Relaxed);
                    expect("the number of turns", value, 2 * k + number as i64);
                    turns.value.store(value + 1, Ordering::Relaxed);
                    turns.turn[1 - number].notify_one();
                }
                ended.down();
            });
        }
        ended.wait().await;
        turns.turn[0].notified().await; // the last turn's
        let n = turns.value.load(Ordering::Relaxed);
        expect("the number of turns", n, 2 * EACH);
        ops += n as u64;
        if !clock.more() {
            return ops;
        }
    }
}

/// Lets a sender wait until all receivers have got what it sent.
#[derive(Default)]
struct Behind {
    n: AtomicI64,
    all_have_it: Notify,
}

impl Behind {
    fn leaked() -> &'static Behind {
        Box::leak(Box::default())
    }

    fn begin(&self) {
        self.n.store(FOLLOWERS, Ordering::Relaxed);
    }

    fn got_it(&self) {
        if self.n.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_have_it.notify_one();
        }
    }
}

async fn broadcast_1_4(clock: Clock) -> u64 {
    let (ended, totals, behind) = (Countdown::leaked(), Totals::leaked(), Behind::leaked());
    let mut ops = 0;
    loop {
        let (sender, receiver) = broadcast::channel(CAPACITY);
        ended.begin(1 + FOLLOWERS);
        for _ in 0..FOLLOWERS {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                let (mut n, mut sum) = (0, 0);
                loop {
                    match receiver.recv().await {
                        Ok(k) => sum += k,
                        Err(broadcast::error::RecvError::Closed) => break,
                        Err(error) => panic!("{error}"),
                    }
                    n += 1;
                    if n % BATCH == 0 {
                        behind.got_it();
                    }
                }
                totals.add(n, sum);
                ended.down();
            });
        }
        drop(receiver);
        tokio::spawn(async move {
            for k in 1..=EACH {
                if k % BATCH == 1 {
                    behind.begin();
                }
                sender.send(k).unwrap();
                if k % BATCH == 0 {
                    behind.all_have_it.notified().await;
                }
            }
            drop(sender);
            ended.down();
        });
        ended.wait().await;
        ops += totals.end(EACH * FOLLOWERS, sum(1..EACH + 1) * FOLLOWERS);
        if !clock.more() {
            return ops;
        }
    }
}

async fn watch_1_4(clock: Clock) -> u64 {
    let (ended, totals, behind) = (Countdown::leaked(), Totals::leaked(), Behind::leaked());
    let mut ops = 0;
    loop {
        let (sender, receiver) = watch::channel(0);
        ended.begin(1 + FOLLOWERS);
        for _ in 0..FOLLOWERS {
            let mut receiver = receiver.clone();
            tokio::spawn(async move {
                let (mut n, mut sum) = (0, 0);
                while receiver.changed().await.is_ok() {
                    sum += *receiver.borrow_and_update();
                    n += 1;
                    behind.got_it();
                }
                totals.add(n, sum);
                ended.down();
            });
        }
        drop(receiver);
        tokio::spawn(async move {
            for k in 1..=EACH {
                behind.begin();
                sender.send(k).unwrap();
                behind.all_have_it.notified().await;
            }
            drop(sender);
            ended.down();
        });
        ended.wait().await;
        ops += totals.end(EACH * FOLLOWERS, sum(1..EACH + 1) * FOLLOWERS);
        if !clock.more() {
            return ops;
        }
    }
}

// ---- timeout ----

/// Repeats a future under a limit that it does not reach.
async fn limited<F>(clock: Clock, future: fn(i64) -> F) -> u64
where
    F: Future<Output = i64> + Send + 'static,
{
    let (ended, totals) = (Countdown::leaked(), Totals::leaked());
    let mut ops = 0;
    loop {
        ended.begin(1);
        tokio::spawn(async move {
            let mut sum = 0;
            for k in 0..EACH {
                sum += timeout(LIMIT, future(k)).await.unwrap();
            }
            totals.add(EACH, sum);
            ended.down();
        });
        ended.wait().await;
        ops += totals.end(EACH, sum(0..EACH));
        if !clock.more() {
            return ops;
        }
    }
}

async fn timeout_ready(clock: Clock) -> u64 {
    limited(clock, ready).await
}

/// Is pending once, and has woken its task then.
fn pending_once(number: i64) -> impl Future<Output = i64> {
    let mut polled = false;
    poll_fn(move |cx| {
        if polled {
            return Poll::Ready(number);
        }
        polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

async fn timeout_pending(clock: Clock) -> u64 {
    limited(clock, pending_once).await
}
