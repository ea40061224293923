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
