//! Threads for work that needs a deep stack or much time: parsing and compiling never run on a
//! BEAM scheduler, whose stack of some hundred KiB a hostile module could overflow.

use std::sync::LazyLock;

use crossbeam_channel::{Sender, unbounded};

/// Cranelift and the parsers recurse with the nesting of their input.
const STACK: usize = 32 * 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

static QUEUE: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (queue, jobs) = unbounded::<Job>();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    for _ in 0..threads.max(2) {
        let jobs = jobs.clone();
        // Without any worker `submit` says so; with fewer than wanted the rest do the work.
        let _ = std::thread::Builder::new()
            .name("vitrine-worker".into())
            .stack_size(STACK)
            .spawn(move || {
                for job in jobs {
                    // A job answers for its own panics; this keeps the worker.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            });
    }
    queue
});

/// Threads for Cranelift. Its work is spread over them by Wasmtime; their stack is deep.
static POOL: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new()
        .stack_size(STACK)
        .thread_name(|n| format!("vitrine-compile-{n}"))
        .build()
        .ok()
});

/// Runs `work` on the threads for Cranelift while this one waits.
pub(crate) fn on_deep_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match &*POOL {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// Runs `job` on a worker. False if there is none, in which case `job` was dropped.
pub fn submit(job: impl FnOnce() + Send + 'static) -> bool {
    QUEUE.send(Box::new(job)).is_ok()
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
}
