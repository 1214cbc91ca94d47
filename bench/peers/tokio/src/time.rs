//! Benchmarks of timers; bench/sched_time.c is weft's.

use crate::bench::{rss_kb, Bench, Clock, Countdown, Run};
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::task::{yield_now, JoinHandle};
use tokio::time::{sleep, sleep_until, Instant};

const SLEEPERS: i64 = 1_000_000;
const DROPS: u64 = 1_000_000;
const OTHERS: u64 = 1000;
/// The task that spawns yields after so many. Else the timers would wait for a poll of a second.
const YIELD_AFTER: i64 = 256;
/// Sleeps in one poll: fewer than the operations that Tokio lets a task do, so that each is begun.
const BUDGET: u64 = 100;

pub const BENCHES: &[Bench] = &[
    Bench {
        cold: true,
        ..Bench::new("time/sleep_1m", sleep_1m)
    },
    Bench::new("time/timers_1m", timers_1m),
];

struct Sleepers {
    countdown: &'static Countdown,
    late_ns: AtomicI64,
    early: AtomicI64,
}

async fn sleeper(all: &'static Sleepers, i: i64) {
    let until = Instant::now() + Duration::from_micros((i * 7919 % 1_000_000) as u64);
    sleep_until(until).await;
    let now = Instant::now();
    if now < until {
        all.early.fetch_add(1, Ordering::Relaxed);
    }
    let late = now.saturating_duration_since(until).as_nanos() as i64;
    all.late_ns.fetch_add(late, Ordering::Relaxed);
    all.countdown.down();
}

fn sleep_1m(run: &mut Run) {
    let all: &'static Sleepers = Box::leak(Box::new(Sleepers {
        countdown: Countdown::leaked(),
        late_ns: AtomicI64::new(0),
        early: AtomicI64::new(0),
    }));
    let task = run.rt.spawn(async move {
        all.countdown.begin(SLEEPERS);
        for i in 0..SLEEPERS {
            tokio::spawn(sleeper(all, i));
            if i % YIELD_AFTER == 0 {
                yield_now().await;
            }
        }
        let rss = rss_kb();
        (all.countdown.wait().await, (rss, rss))
    });
    let (ops, rss) = run.rt.block_on(task).unwrap();
    run.ops = ops;
    run.rss_kb = Some(rss);
    run.late = Some((
        all.late_ns.load(Ordering::Relaxed) / ops as i64,
        all.early.load(Ordering::Relaxed),
    ));
}

/// Begins a sleep of seconds and drops it.
async fn begin_and_drop(k: u64) {
    let mut nap = pin!(sleep(
        Duration::from_secs(10) + Duration::from_micros(k * 7919 % 1_000_000)
    ));
    poll_fn(|cx| {
        if nap.as_mut().poll(cx).is_ready() {
            eprintln!("a sleep of seconds has ended at once");
            std::process::exit(1);
        }
        Poll::Ready(())
    })
    .await
}

fn timers_1m(run: &mut Run) {
    let task = run.rt.spawn(async {
        let others: Vec<JoinHandle<()>> = (0..OTHERS)
            .map(|i| tokio::spawn(sleep(Duration::from_millis(3_600_000 + i))))
            .collect();
        sleep(Duration::from_millis(5)).await; // they sleep now
        let clock = Clock::start();
        for k in 0..DROPS {
            if k % BUDGET == 0 {
                yield_now().await;
            }
            begin_and_drop(k).await;
        }
        let time = clock.elapsed();
        for other in others {
            other.abort();
            let error = other.await.expect_err("a sleep of an hour has ended");
            assert!(error.is_cancelled());
        }
        (clock, time)
    });
    let (clock, time) = run.rt.block_on(task).unwrap();
    run.clock = clock;
    run.time = Some(time);
    run.ops = DROPS;
}
