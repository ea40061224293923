//! Threads for work that needs a deep stack or much time. Parsing and compiling never run on a scheduler of the BEAM: its stack
//! has some hundred KiB, which a hostile module could overflow.

use std::sync::LazyLock;

use crossbeam_channel::{Sender, unbounded};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Cranelift and the parsers recurse with the nesting of their input.
const STACK: usize = 32 * 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// The queue of jobs that take milliseconds and must not wait for compilations.
static QUICK: LazyLock<Sender<Job>> = LazyLock::new(|| start("vitrine-worker"));

fn start(name: &str) -> Sender<Job> {
    let (queue, jobs) = unbounded::<Job>();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    for _ in 0..threads.max(2) {
        let jobs = jobs.clone();
        // If there are fewer workers than wanted, they do all the work. If there is none, `submit` says so.
        let _ = std::thread::Builder::new()
            .name(name.into())
            .stack_size(STACK)
            .spawn(move || {
                for job in jobs {
                    // A job reports its own panics. This keeps the worker alive.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            });
    }
    queue
}

/// A class of compilations that take about as long. A compilation cannot be interrupted, so each lane has its own threads, and
/// the operating system divides the processors among them. A small module therefore only waits for small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Short,
    Medium,
    Long,
}

/// The longest compilation of each lane but the last, in microseconds of processor time.
const SHORT: u64 = 300_000;
const MEDIUM: u64 = 3_000_000;

impl Lane {
    /// The lane of a compilation that is estimated to take so many microseconds.
    pub(crate) fn of(microseconds: u64) -> Lane {
        if microseconds <= SHORT {
            Lane::Short
        } else if microseconds <= MEDIUM {
            Lane::Medium
        } else {
            Lane::Long
        }
    }

    fn threads(self) -> &'static LazyLock<Threads> {
        &LANES[self as usize]
    }
}

/// The threads of a lane.
struct Threads {
    /// The queue of compilations. Its threads begin them, and wait for Cranelift.
    jobs: Sender<Job>,
    /// Threads with deep stacks for Cranelift. Wasmtime spreads its work over them.
    cranelift: Option<ThreadPool>,
}

static LANES: [LazyLock<Threads>; 3] = [
    LazyLock::new(|| Threads::new("vitrine-short")),
    LazyLock::new(|| Threads::new("vitrine-medium")),
    LazyLock::new(|| Threads::new("vitrine-long")),
];

impl Threads {
    fn new(name: &'static str) -> Threads {
        Threads {
            jobs: start(name),
            cranelift: pool(name, 0),
        }
    }
}

/// A thread for Cranelift that compiles only Vitrine's own modules, which are small.
static CRANELIFT_QUICK: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool("vitrine-quick", 1));

/// A pool of so many threads; 0 means as many as there are processors.
fn pool(name: &'static str, threads: usize) -> Option<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK)
        .thread_name(move |n| format!("{name}-{n}"))
        .build()
        .ok()
}

fn install<R: Send>(pool: &Option<ThreadPool>, work: impl FnOnce() -> R + Send) -> R {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// Compiles a guest's module, while this thread waits.
pub(crate) fn compile_on_deep_stack<R: Send>(lane: Lane, work: impl FnOnce() -> R + Send) -> R {
    install(&lane.threads().cranelift, work)
}

/// Compiles a small module of Vitrine's own, while this thread waits. It never waits for a guest's module.
pub(crate) fn on_deep_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    install(&CRANELIFT_QUICK, work)
}

/// Runs `job`, which should be short, on a worker. False if there is no worker; `job` is dropped then.
pub fn submit(job: impl FnOnce() + Send + 'static) -> bool {
    QUICK.send(Box::new(job)).is_ok()
}

/// Runs `job` on a worker of `lane`. False if there is no worker; `job` is dropped then.
pub(crate) fn submit_compilation(lane: Lane, job: impl FnOnce() + Send + 'static) -> bool {
    lane.threads().jobs.send(Box::new(job)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use crossbeam_channel::Receiver;

    use super::*;

    #[test]
    fn every_job_runs_and_no_more_run_at_once_than_there_are_workers() {
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (done, finished) = mpsc::channel();
        for job in 0..50 {
            let (running, most, done) = (running.clone(), most.clone(), done.clone());
            submit(move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                running.fetch_sub(1, SeqCst);
                done.send(job).unwrap();
                // A panic of a job does not end its worker.
                assert!(job % 2 == 0);
            });
        }
        for _ in 0..50 {
            finished.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        assert!((1..=workers.max(2)).contains(&most.load(SeqCst)));
    }

    /// Keeps all threads of a lane busy, and as many jobs waiting, until the sender is dropped.
    fn occupy(lane: Lane, ended: &Receiver<()>) {
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        for _ in 0..2 * workers.max(2) {
            let ended = ended.clone();
            let wait = move || ended.recv().unwrap_or(());
            submit_compilation(lane, move || compile_on_deep_stack(lane, wait));
        }
    }

    #[test]
    fn short_compilation_does_not_wait_for_longer_ones() {
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        let (done, finished) = mpsc::channel();
        occupy(Lane::Long, &ended);
        let medium = done.clone();
        submit_compilation(Lane::Medium, move || {
            medium
                .send(compile_on_deep_stack(Lane::Medium, || 2))
                .unwrap();
        });
        assert_eq!(finished.recv_timeout(Duration::from_secs(30)), Ok(2));
        occupy(Lane::Medium, &ended);
        let short = done.clone();
        submit_compilation(Lane::Short, move || {
            short
                .send(compile_on_deep_stack(Lane::Short, || 1))
                .unwrap();
        });
        assert_eq!(finished.recv_timeout(Duration::from_secs(30)), Ok(1));
        occupy(Lane::Short, &ended);
        submit(move || done.send(on_deep_stack(|| 0)).unwrap());
        assert_eq!(finished.recv_timeout(Duration::from_secs(30)), Ok(0));
        drop(end);
    }

    #[test]
    fn lane_of_a_compilation_follows_its_estimated_time() {
        assert_eq!(Lane::of(0), Lane::Short);
        assert_eq!(Lane::of(SHORT + 1), Lane::Medium);
        assert_eq!(Lane::of(MEDIUM + 1), Lane::Long);
        assert!(Lane::Short < Lane::Medium && Lane::Medium < Lane::Long);
    }
}
