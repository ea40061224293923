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

/// For compilations, which nobody can interrupt.
static COMPILERS: LazyLock<Sender<Job>> = LazyLock::new(|| start("vitrine-compiler"));

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

/// Threads for Cranelift. Its work is spread over them by Wasmtime; their stack is deep.
static CRANELIFT: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool("vitrine-compile", 0));

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
pub(crate) fn compile_on_deep_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    install(&CRANELIFT, work)
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

/// The same for a compilation, which may take long.
pub(crate) fn submit_compilation(job: impl FnOnce() + Send + 'static) -> bool {
    COMPILERS.send(Box::new(job)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

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

    #[test]
    fn short_jobs_do_not_wait_for_compilations() {
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        for _ in 0..2 * workers.max(2) {
            let ended = ended.clone();
            submit_compilation(move || compile_on_deep_stack(|| ended.recv().unwrap_or(())));
        }
        let (done, finished) = mpsc::channel();
        submit(move || done.send(on_deep_stack(|| 1)).unwrap());
        assert_eq!(finished.recv_timeout(Duration::from_secs(30)), Ok(1));
        drop(end);
    }
}
