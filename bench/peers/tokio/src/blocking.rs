//! Benchmarks of the blocking pool; bench/sched_blocking.c is weft's.

use crate::bench::{expect, Bench, Clock, Countdown};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::{block_in_place, spawn_blocking, yield_now};

const JOBS: i64 = 10_000;
const ROUND_TRIPS: u64 = 100;

pub const BENCHES: &[Bench] = &[
    Bench::new("blocking/round_trip", |run| run.task(round_trip)),
    Bench::new("blocking/at_once", |run| run.task(at_once)),
    Bench::new("blocking/in_place", |run| run.task(in_place)),
];

async fn add_one(sum: &'static AtomicU64) {
    let add = move || {
        sum.fetch_add(1, Ordering::Relaxed);
        1
    };
    expect("the job's result", spawn_blocking(add).await.unwrap(), 1);
}

fn new_sum() -> &'static AtomicU64 {
    Box::leak(Box::new(AtomicU64::new(0)))
}

async fn round_trip(clock: Clock) -> u64 {
    let sum = new_sum();
    let mut ops = 0;
    loop {
        for _ in 0..ROUND_TRIPS {
            add_one(sum).await;
            ops += 1;
        }
        if !clock.more() {
            expect("the sum", sum.load(Ordering::Relaxed), ops);
            return ops;
        }
    }
}

async fn at_once(clock: Clock) -> u64 {
    let (sum, countdown) = (new_sum(), Countdown::leaked());
    let mut ops = 0;
    loop {
        countdown.begin(JOBS);
        for _ in 0..JOBS {
            tokio::spawn(async move {
                add_one(sum).await;
                countdown.down();
            });
        }
        ops += countdown.wait().await;
        if !clock.more() {
            expect("the sum", sum.load(Ordering::Relaxed), ops);
            return ops;
        }
    }
}

async fn in_place(clock: Clock) -> u64 {
    let sum = new_sum();
    let mut ops = 0;
    loop {
        for _ in 0..ROUND_TRIPS {
            let one = block_in_place(|| {
                sum.fetch_add(1, Ordering::Relaxed);
                1
            });
            expect("the function's result", one, 1);
            ops += 1;
            yield_now().await; // the next call has a worker again
        }
        if !clock.more() {
            expect("the sum", sum.load(Ordering::Relaxed), ops);
            return ops;
        }
    }
}
