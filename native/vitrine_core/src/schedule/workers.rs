//! Threads for work that needs a deep stack or much time: parsing and compiling never run on a
//! BEAM scheduler, whose stack of some hundred KiB a hostile module could overflow.

use std::sync::LazyLock;

use crossbeam_channel::{Sender, unbounded};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Cranelift and the parsers recurse with the nesting of their input.
const STACK: usize = 32 * 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// For what is done in milliseconds, and must not wait for compilations.
static QUICK: LazyLock<Sender<Job>> = LazyLock::new(|| start("vitrine-worker"));

fn start(name: &str) -> Sender<Job> {
    let (queue, jobs) = unbounded::<Job>();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    for _ in 0..threads.max(2) {
        let jobs = jobs.clone();
        // Without any worker `submit` says so; with fewer than wanted the rest do the work.
        let _ = std::thread::Builder::new()
            .name(name.into())
            .stack_size(STACK)
            .spawn(move || {
                for job in jobs {
                    // A job answers for its own panics; this keeps the worker.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            });
    }
    queue
}

/// Compilations, which nobody can interrupt, by how long they take. Each lane has threads of its own,
/// among which the system divides the processors: who compiles a small module waits for small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Short,
    Medium,
    Long,
}

/// The longest compilation of the lanes but the last, in microseconds of a processor's time.
const SHORT: u64 = 300_000;
const MEDIUM: u64 = 3_000_000;

impl Lane {
    /// The lane of what is estimated to take so long.
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

/// What the compilations of a lane run on.
struct Threads {
    /// Where they begin, and where who has to wait does.
    jobs: Sender<Job>,
    /// Threads for Cranelift. Its work is spread over them by Wasmtime; their stack is deep.
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

/// A thread for Cranelift that is given nothing but modules of Vitrine's own, which are small.
static CRANELIFT_QUICK: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool("vitrine-quick", 1));

/// As many threads as there are processors for 0.
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

/// Compiles what a guest consists of, while this thread waits.
pub(crate) fn compile_on_deep_stack<R: Send>(lane: Lane, work: impl FnOnce() -> R + Send) -> R {
    install(&lane.threads().cranelift, work)
}

/// Compiles what is no guest's and small, while this thread waits, and never for a guest's.
pub(crate) fn on_deep_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    install(&CRANELIFT_QUICK, work)
}

/// Runs `job`, which should be short, on a worker. False if there is none, in which case `job` was
/// dropped.
pub fn submit(job: impl FnOnce() + Send + 'static) -> bool {
    QUICK.send(Box::new(job)).is_ok()
}

/// The same for a compilation, which may take as long as its lane says.
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
    fn no_more_jobs_run_at_once_than_there_are_workers_and_all_of_them_run() {
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
                // A worker outlives what it does.
                assert!(job % 2 == 0);
            });
        }
        for _ in 0..50 {
            finished.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        assert!((1..=workers.max(2)).contains(&most.load(SeqCst)));
    }

    /// Keeps all threads of a lane busy, and as many wait, until the sender is dropped.
    fn occupy(lane: Lane, ended: &Receiver<()>) {
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        for _ in 0..2 * workers.max(2) {
            let ended = ended.clone();
            let wait = move || ended.recv().unwrap_or(());
            submit_compilation(lane, move || compile_on_deep_stack(lane, wait));
        }
    }

    #[test]
    fn what_takes_short_does_not_wait_for_what_takes_longer() {
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
    fn the_lane_of_a_compilation_is_that_of_how_long_it_takes() {
        assert_eq!(Lane::of(0), Lane::Short);
        assert_eq!(Lane::of(SHORT + 1), Lane::Medium);
        assert_eq!(Lane::of(MEDIUM + 1), Lane::Long);
        assert!(Lane::Short < Lane::Medium && Lane::Medium < Lane::Long);
    }
}
