//! Benchmarks of Tokio's tasks beside fibers; bench/fiber*.c are weft's.

use crate::bench::{expect, rss_kb, Bench, Clock, Countdown, Run};
use crate::sched::spawn_join;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{yield_now, JoinHandle};
use tokio::time::sleep;

const YIELDS: u64 = 10_000;
const TRIPS: i64 = 1000;
const MANY: i64 = 100_000;
const MOST: i64 = 1_000_000;

pub const BENCHES: &[Bench] = &[
    Bench::new("fiber/yield_pair", |run| run.task(yield_pair)),
    Bench::new("fiber/spawn_join", |run| run.task(spawn_join)),
    Bench::new("fiber/ping_pong", |run| run.task(ping_pong)),
    Bench {
        cold: true,
        ..Bench::new("fiber/sleep_100k", |run| all_sleep(run, MANY))
    },
    Bench {
        cold: true,
        ..Bench::new("fiber/sleep_1m", |run| all_sleep(run, MOST))
    },
];

async fn yield_pair(clock: Clock) -> u64 {
    static DONE: AtomicU64 = AtomicU64::new(0);

    let ended = Countdown::leaked();
    let mut ops = 0;
    loop {
        ended.begin(2);
        for _ in 0..2 {
            tokio::spawn(async move {
                for _ in 0..YIELDS {
                    yield_now().await;
                }
                DONE.fetch_add(YIELDS, Ordering::Relaxed);
                ended.down();
            });
        }
        ended.wait().await;
        let done = DONE.swap(0, Ordering::Relaxed);
        expect("the number of yields", done, 2 * YIELDS);
        ops += done;
        if !clock.more() {
            return ops;
        }
    }
}

async fn ping_pong(clock: Clock) -> u64 {
    static NUMBER: AtomicI64 = AtomicI64::new(0);

    let ended = Countdown::leaked();
    let mut ops = 0;
    loop {
        let (there, mut at_there) = mpsc::channel(1);
        let (back, mut at_back) = mpsc::channel(1);
        ended.begin(2);
        tokio::spawn(async move {
            let mut number: i64 = 0;
            for _ in 0..TRIPS {
                there.send(number).await.unwrap();
                number = at_back.recv().await.unwrap() + 1;
            }
            NUMBER.store(number, Ordering::Relaxed);
            ended.down();
        });
        tokio::spawn(async move {
            for _ in 0..TRIPS {
                let number: i64 = at_there.recv().await.unwrap();
                back.send(number + 1).await.unwrap();
            }
            ended.down();
        });
        ended.wait().await;
        let number = NUMBER.load(Ordering::Relaxed);
        expect("the number after all trips", number, 2 * TRIPS);
        ops += number as u64;
        if !clock.more() {
            return ops;
        }
    }
}

fn all_sleep(run: &mut Run, n: i64) {
    let asleep = Countdown::leaked();
    let task = run.rt.spawn(async move {
        asleep.begin(n);
        let sleepers: Vec<JoinHandle<()>> = (0..n)
            .map(|_| {
                tokio::spawn(async move {
                    asleep.down();
                    sleep(Duration::from_secs(3600)).await;
                })
            })
            .collect();
        asleep.wait().await;
        let rss = rss_kb();
        let mut ops = 0;
        for sleeper in &sleepers {
            sleeper.abort();
        }
        for sleeper in sleepers {
            let error = sleeper.await.expect_err("a sleep of an hour has ended");
            assert!(error.is_cancelled());
            ops += 1;
        }
        (ops, rss)
    });
    let (ops, rss) = run.rt.block_on(task).unwrap();
    run.time = Some(run.clock.elapsed());
    run.ops = ops;
    run.rt
        .block_on(async { sleep(Duration::from_millis(100)).await });
    run.rss_kb = Some((rss, rss_kb()));
}
