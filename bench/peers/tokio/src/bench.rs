//! The protocol of benchmarks inside one process (bench/README.md), clock, checks, a count-down.

use std::io::{self, BufRead};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

const REPETITION: Duration = Duration::from_millis(100);

/// Ends the process if `what` isn't what it must be.
pub fn expect<T: PartialEq + std::fmt::Display>(what: &str, is: T, must_be: T) {
    if is != must_be {
        eprintln!("{what} is {is}, expected {must_be}");
        std::process::exit(1);
    }
}

// ---- the count-down ----

/// Lets one wait until n have counted down.
pub struct Countdown {
    n: AtomicI64,
    left: AtomicI64,
    done: Notify,
}

impl Countdown {
    /// One for the rest of the process: tasks share it without counting references, as weft's do.
    pub fn leaked() -> &'static Countdown {
        Box::leak(Box::new(Countdown {
            n: AtomicI64::new(0),
            left: AtomicI64::new(0),
            done: Notify::new(),
        }))
    }

    pub fn begin(&self, n: i64) {
        self.n.store(n, Ordering::Relaxed);
        self.left.store(n, Ordering::Release);
    }

    pub fn down(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Ends when all have; answers how many that were.
    pub async fn wait(&self) -> u64 {
        self.done.notified().await;
        let left = self.left.load(Ordering::Acquire);
        expect("the count-down", left, 0);
        (self.n.load(Ordering::Relaxed) - left) as u64
    }
}

// ---- one repetition ----

#[derive(Clone, Copy)]
pub struct Clock {
    begin: Instant,
    begin_cpu: Duration,
}

impl Clock {
    pub fn start() -> Clock {
        let begin_cpu = cpu_now();
        Clock {
            begin: Instant::now(),
            begin_cpu,
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Whether there is time for another round.
    pub fn more(&self) -> bool {
        self.begin.elapsed() < REPETITION
    }
}

fn cpu_now() -> Duration {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is a timespec to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// What the process has resident now.
pub fn rss_kb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    // SAFETY: no memory is passed.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64 / 1024
}

/// What a benchmark gets, and what it fills in.
pub struct Run<'a> {
    pub rt: &'a Runtime,
    pub clock: Clock,
    pub ops: u64,
    /// If it isn't the time from the clock's start to the end.
    pub time: Option<Duration>,
    /// With all tasks there, and after they have ended.
    pub rss_kb: Option<(u64, u64)>,
    /// Of timers: how many ns late on average, and how many too early.
    pub late: Option<(i64, i64)>,
}

impl Run<'_> {
    /// Lets a task repeat its rounds; it answers how much it did.
    pub fn task<F>(&mut self, rounds: fn(Clock) -> F)
    where
        F: std::future::Future<Output = u64> + Send + 'static,
    {
        let task = self.rt.spawn(rounds(self.clock));
        self.ops = self.rt.block_on(task).unwrap();
    }
}

#[derive(Clone, Copy)]
pub struct Bench {
    pub name: &'static str,
    pub run: fn(&mut Run),
    /// Whether it makes sense for a runtime that lives on the thread of block_on.
    pub current: bool,
    /// Measured without a warm-up: memory that is reused counts once.
    pub cold: bool,
}

impl Bench {
    pub const fn new(name: &'static str, run: fn(&mut Run)) -> Bench {
        Bench {
            name,
            run,
            current: true,
            cold: false,
        }
    }
}

fn measure(bench: &Bench, rt: &Runtime) -> String {
    let mut run = Run {
        rt,
        clock: Clock::start(),
        ops: 0,
        time: None,
        rss_kb: None,
        late: None,
    };
    (bench.run)(&mut run);
    let ns = run.time.unwrap_or(run.clock.begin.elapsed()).as_nanos();
    let cpu_ns = (cpu_now() - run.clock.begin_cpu).as_nanos();
    let late = run.late.map_or(String::new(), |(mean, early)| {
        format!(", \"late_ns_mean\": {mean}, \"early\": {early}")
    });
    let rss = run.rss_kb.map_or(String::new(), |(all, after)| {
        format!(", \"rss_kb\": {all}, \"rss_after_kb\": {after}")
    });
    format!(
        "{{\"ops\": {}, \"ns\": {ns}, \"cpu_ns\": {cpu_ns}{rss}{late}}}",
        run.ops
    )
}

/// Answers requests until the end of standard input.
pub fn serve(rt: &Runtime, current: bool, benches: &[Bench]) -> io::Result<()> {
    let mut warm = benches.iter().map(|b| b.cold).collect::<Vec<_>>();

    // A panic within a task would leave the others waiting for it.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        hook(info);
        std::process::exit(1);
    }));
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or("");
        let repetitions: u32 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let found = benches
            .iter()
            .position(|b| b.name == name && (b.current || !current));
        let Some(k) = found else {
            println!("{{\"error\": \"unknown\"}}");
            continue;
        };
        if !warm[k] {
            measure(&benches[k], rt);
        }
        warm[k] = true;
        for _ in 0..repetitions {
            println!("{}", measure(&benches[k], rt));
        }
    }
    Ok(())
}
