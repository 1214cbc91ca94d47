//! Benchmarks of file reads; bench/sched_file.c is weft's. tokio::fs has no read at an offset: it is
//! what one does by spawn_blocking.

use crate::bench::{expect, Bench, Countdown, Run};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::spawn_blocking;

const READERS: u64 = 32;
const STAMPED: u64 = 4096;

pub const BENCHES: &[Bench] = &[
    Bench::new("file/read_4k", |run| read(run, 4 << 10, true)),
    Bench::new("file/read_128k", |run| read(run, 128 << 10, false)),
];

struct Reads {
    file: File,
    blocks: u64,
    next: AtomicU64,
    ops: AtomicU64,
    ended: &'static Countdown,
}

/// The number of the block to read next: of a random one, or in the file's order.
fn choose(reads: &Reads, x: &mut u64, random: bool) -> u64 {
    if random {
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        (*x >> 16) % reads.blocks
    } else {
        reads.next.fetch_add(1, Ordering::Relaxed) % reads.blocks
    }
}

fn read(run: &mut Run, size: u64, random: bool) {
    let Ok(path) = std::env::var("BENCH_FILE") else {
        eprintln!("BENCH_FILE is not set");
        std::process::exit(1);
    };
    let file = File::open(path).unwrap();
    let blocks = file.metadata().unwrap().len() / size;
    let reads: &'static Reads = Box::leak(Box::new(Reads {
        file,
        blocks,
        next: AtomicU64::new(0),
        ops: AtomicU64::new(0),
        ended: Countdown::leaked(),
    }));
    let clock = run.clock;
    let task = run.rt.spawn(async move {
        reads.ended.begin(READERS as i64);
        for i in 0..READERS {
            tokio::spawn(async move {
                let mut x = 88172645463325252 + i;
                let mut buffer = vec![0; size as usize];
                loop {
                    let block = choose(reads, &mut x, random);
                    buffer = spawn_blocking(move || {
                        reads.file.read_exact_at(&mut buffer, block * size).unwrap();
                        buffer
                    })
                    .await
                    .unwrap();
                    let stamp = u64::from_le_bytes(buffer[..8].try_into().unwrap());
                    expect("the block's stamp", stamp, block * size / STAMPED);
                    reads.ops.fetch_add(1, Ordering::Relaxed);
                    if !clock.more() {
                        break;
                    }
                }
                reads.ended.down();
            });
        }
        reads.ended.wait().await;
    });
    run.rt.block_on(task).unwrap();
    run.ops = reads.ops.load(Ordering::Relaxed);
}
