//! Benchmarks of the scheduler; bench/sched*.c are weft's.

use crate::bench::{expect, rss_kb, Bench, Clock, Countdown, Run};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, Notify};
use tokio::task::JoinHandle;

const SPAWNS: i64 = 10_000;
const JOINS: u64 = 1000;
const CHAIN: i64 = 1000;
const PINGS: i64 = 1000;
const YIELDING: i64 = 200;
const YIELDS: u64 = 1000;
const TASKS: i64 = 1_000_000;

pub const BENCHES: &[Bench] = &[
    Bench::new("sched/spawn_many", |run| run.task(spawn_many)),
    Bench {
        current: false,
        ..Bench::new("sched/spawn_many_outside", spawn_many_outside)
    },
    Bench::new("sched/spawn_join", |run| run.task(spawn_join)),
    Bench::new("sched/chained_spawn", |run| run.task(chained_spawn)),
    Bench::new("sched/ping_pong", |run| run.task(ping_pong)),
    Bench::new("sched/yield_many", |run| run.task(yield_many)),
    Bench::new("sched/skynet", skynet),
    Bench::new("sched/fib", fib),
    Bench::new("sched/foreign_wake", |run| foreign_wake(run, 0)),
    Bench::new("sched/foreign_wake_spaced", |run| foreign_wake(run, 50)),
    Bench::new("sched/foreign_spawn_1", |run| foreign_spawn(run, 1)),
    Bench::new("sched/foreign_spawn_4", |run| foreign_spawn(run, 4)),
    Bench::new("sched/foreign_spawn_16", |run| foreign_spawn(run, 16)),
    Bench::new("sched/foreign_spawn_64", |run| foreign_spawn(run, 64)),
    Bench {
        cold: true,
        ..Bench::new("sched/tasks_1m", tasks_1m)
    },
];

// ---- spawning, joining, yielding ----

async fn spawn_many(clock: Clock) -> u64 {
    let countdown = Countdown::leaked();
    let mut ops = 0;
    loop {
        countdown.begin(SPAWNS);
        for _ in 0..SPAWNS {
            tokio::spawn(async move { countdown.down() });
        }
        ops += countdown.wait().await;
        if !clock.more() {
            return ops;
        }
    }
}

fn spawn_many_outside(run: &mut Run) {
    let countdown = Countdown::leaked();
    loop {
        countdown.begin(SPAWNS);
        for _ in 0..SPAWNS {
            run.rt.spawn(async move { countdown.down() });
        }
        run.ops += run.rt.block_on(countdown.wait());
        if !run.clock.more() {
            return;
        }
    }
}

pub async fn spawn_join(clock: Clock) -> u64 {
    let mut ops = 0;
    loop {
        for k in 0..JOINS {
            let n = tokio::spawn(async move { k }).await.unwrap();
            expect("the child's result", n, k);
            ops += 1;
        }
        if !clock.more() {
            return ops;
        }
    }
}

fn spawn_link(countdown: &'static Countdown, more: i64) {
    tokio::spawn(async move {
        if more > 0 {
            spawn_link(countdown, more - 1);
        }
        countdown.down();
    });
}

async fn chained_spawn(clock: Clock) -> u64 {
    let countdown = Countdown::leaked();
    let mut ops = 0;
    loop {
        countdown.begin(CHAIN);
        spawn_link(countdown, CHAIN - 1);
        ops += countdown.wait().await;
        if !clock.more() {
            return ops;
        }
    }
}

async fn ping(countdown: &'static Countdown) {
    let (ping_sender, ping_receiver) = oneshot::channel();
    let (pong_sender, pong_receiver) = oneshot::channel();

    tokio::spawn(async move {
        ping_receiver.await.unwrap();
        pong_sender.send(()).unwrap();
    });
    ping_sender.send(()).unwrap();
    pong_receiver.await.unwrap();
    countdown.down();
}

async fn ping_pong(clock: Clock) -> u64 {
    let countdown = Countdown::leaked();
    let mut ops = 0;
    loop {
        countdown.begin(PINGS);
        for _ in 0..PINGS {
            tokio::spawn(ping(countdown));
        }
        ops += countdown.wait().await;
        if !clock.more() {
            return ops;
        }
    }
}

async fn yield_many(clock: Clock) -> u64 {
    static DONE: AtomicU64 = AtomicU64::new(0);

    let countdown = Countdown::leaked();
    DONE.store(0, Ordering::Relaxed);
    loop {
        countdown.begin(YIELDING);
        for _ in 0..YIELDING {
            tokio::spawn(async move {
                let mut yields = 0;
                while yields < YIELDS {
                    tokio::task::yield_now().await;
                    yields += 1;
                }
                DONE.fetch_add(yields, Ordering::Relaxed);
                countdown.down();
            });
        }
        countdown.wait().await;
        if !clock.more() {
            return DONE.load(Ordering::Relaxed);
        }
    }
}

// ---- fork and join ----

/// How many tasks a subtree had, and the sum that they computed.
struct Answer {
    tasks: u64,
    sum: u64,
}

impl AddAssign for Answer {
    fn add_assign(&mut self, other: Answer) {
        self.tasks += other.tasks;
        self.sum += other.sum;
    }
}

const LEAVES: u64 = 1_000_000;
const FAN_OUT: u64 = 10;

async fn leaf(number: u64) -> Answer {
    Answer {
        tasks: 1,
        sum: number,
    }
}

fn spawn_node(first: u64, leaves: u64) -> JoinHandle<Answer> {
    tokio::spawn(async move {
        let each = leaves / FAN_OUT;
        let children: [JoinHandle<Answer>; FAN_OUT as usize] = std::array::from_fn(|k| {
            if each == 1 {
                tokio::spawn(leaf(first + k as u64))
            } else {
                spawn_node(first + k as u64 * each, each)
            }
        });
        let mut answer = Answer { tasks: 1, sum: 0 };
        for child in children {
            answer += child.await.unwrap();
        }
        answer
    })
}

/// Spawns a tree within the runtime and waits for its root's answer.
fn tree(rt: &Runtime, spawn: impl FnOnce() -> JoinHandle<Answer>) -> Answer {
    rt.block_on(async { spawn().await.unwrap() })
}

fn skynet(run: &mut Run) {
    loop {
        let answer = tree(run.rt, || spawn_node(0, LEAVES));
        expect("skynet's sum", answer.sum, LEAVES * (LEAVES - 1) / 2);
        let tasks = (LEAVES * FAN_OUT - 1) / (FAN_OUT - 1);
        expect("skynet's number of tasks", answer.tasks, tasks);
        run.ops += answer.tasks;
        if !run.clock.more() {
            return;
        }
    }
}

const FIB: u64 = 27;

fn spawn_fib(n: u64) -> JoinHandle<Answer> {
    tokio::spawn(async move {
        if n < 2 {
            return Answer { tasks: 1, sum: n };
        }
        let first = spawn_fib(n - 1);
        let last = spawn_fib(n - 2);
        let mut answer = Answer { tasks: 1, sum: 0 };
        answer += last.await.unwrap();
        answer += first.await.unwrap();
        answer
    })
}

fn fibonacci(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

fn fib(run: &mut Run) {
    loop {
        let answer = tree(run.rt, || spawn_fib(FIB));
        expect("fib's result", answer.sum, fibonacci(FIB));
        let calls = 2 * fibonacci(FIB + 1) - 1;
        expect("fib's number of tasks", answer.tasks, calls);
        run.ops += answer.tasks;
        if !run.clock.more() {
            return;
        }
    }
}

// ---- threads that are not the runtime's ----

/// Lets n threads work while the main one waits in block_on; answers the sum of what they did.
fn crew<W>(run: &mut Run, n: usize, work: W) -> (u64, Duration)
where
    W: Fn(&Runtime, Clock) -> (u64, Duration) + Sync,
{
    let ended = Countdown::leaked();
    let (ready, go) = (Barrier::new(n + 1), Barrier::new(n + 1));
    let rt = run.rt;

    ended.begin(n as i64);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    go.wait();
                    let did = work(rt, Clock::start());
                    ended.down();
                    did
                })
            })
            .collect();
        ready.wait();
        run.clock = Clock::start();
        go.wait();
        rt.block_on(ended.wait());
        threads
            .into_iter()
            .map(|t| t.join().unwrap())
            .fold((0, Duration::ZERO), |(a, b), (c, d)| (a + c, b + d))
    })
}

fn foreign_spawn(run: &mut Run, threads: usize) {
    let share = SPAWNS / threads as i64;
    let work = |rt: &Runtime, clock: Clock| {
        let countdown = Countdown::leaked();
        let mut ops = 0;
        loop {
            countdown.begin(share);
            for _ in 0..share {
                rt.spawn(async move { countdown.down() });
            }
            ops += rt.handle().block_on(countdown.wait());
            if !clock.more() {
                return (ops, Duration::ZERO);
            }
        }
    };
    run.ops = crew(run, threads, work).0;
}

/// Answers n with n + 1 until the other side hangs up.
async fn answering(mut questions: mpsc::Receiver<u64>, answers: mpsc::Sender<u64>) {
    while let Some(number) = questions.recv().await {
        answers.send(number + 1).await.unwrap();
    }
}

fn foreign_wake(run: &mut Run, pause_us: u64) {
    let work = |rt: &Runtime, clock: Clock| {
        let (questions, get_questions) = mpsc::channel(1);
        let (answers, mut get_answers) = mpsc::channel(1);
        let (mut ops, mut time) = (0, Duration::ZERO);

        rt.spawn(answering(get_questions, answers));
        loop {
            if pause_us > 0 {
                std::thread::sleep(Duration::from_micros(pause_us));
            }
            let begin = Instant::now();
            questions.try_send(ops).unwrap();
            let answer = get_answers.blocking_recv().unwrap();
            expect("the task's answer", answer, ops + 1);
            time += begin.elapsed();
            ops += 1;
            if !clock.more() {
                return (ops, time);
            }
        }
    };
    let (ops, time) = crew(run, 1, work);
    run.ops = ops;
    run.time = Some(time);
}

// ---- a million tasks ----

struct Crowd {
    gate: Notify,
    waiting: &'static Countdown,
    ended: &'static Countdown,
}

async fn waiting(crowd: &'static Crowd) {
    let opened = crowd.gate.notified();
    crowd.waiting.down();
    opened.await;
    crowd.ended.down();
}

fn tasks_1m(run: &mut Run) {
    let crowd: &'static Crowd = Box::leak(Box::new(Crowd {
        gate: Notify::new(),
        waiting: Countdown::leaked(),
        ended: Countdown::leaked(),
    }));
    let task = run.rt.spawn(async move {
        crowd.waiting.begin(TASKS);
        crowd.ended.begin(TASKS);
        for _ in 0..TASKS {
            tokio::spawn(waiting(crowd));
        }
        crowd.waiting.wait().await;
        let rss = rss_kb();
        crowd.gate.notify_waiters();
        (crowd.ended.wait().await, (rss, rss_kb()))
    });
    let (ops, rss) = run.rt.block_on(task).unwrap();
    run.ops = ops;
    run.rss_kb = Some(rss);
}
