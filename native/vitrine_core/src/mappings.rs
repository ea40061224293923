//! Instances are refused before the system's limit of memory mappings is reached. The BEAM ends
//! when it is given no memory, and so does most of what else runs in the process.
//!
//! Counting mappings takes milliseconds where there are many. So they are counted when as many were
//! taken as there seemed to be left: rarely while there are few, more often towards the end.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::control::Control;
use crate::error::{Error, Reason};

/// After it was refused, how soon it is looked at again.
const PATIENCE: Duration = Duration::from_millis(100);

/// One part in so many of the limit is left to others.
const MARGIN: u64 = 16;

/// The mappings of stacks that are still to be made.
static PROMISED: AtomicU64 = AtomicU64::new(0);

static BUDGET: LazyLock<Mutex<Budget>> = LazyLock::new(Mutex::default);

/// Room for the stack of an instance's fiber, which its first call makes.
pub(crate) struct Promised(u64);

impl Promised {
    fn new(mappings: u64) -> Promised {
        PROMISED.fetch_add(mappings, Relaxed);
        Promised(mappings)
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        PROMISED.fetch_sub(self.0, Relaxed);
    }
}

/// The mappings of so many memories at most, where each has its own: what is used, and what is around it.
pub(crate) fn of_memories(count: u64) -> u64 {
    3 * count
}

/// Takes the mappings of an instance that is about to be made: so many, and a stack. If they have to be
/// counted, that is done on a dirty scheduler.
pub(crate) async fn take(control: &Control, count: u64) -> Result<Promised, Error> {
    if let Some(promised) = take_counted(count) {
        return Ok(promised);
    }
    control.on_dirty().await;
    count_and_take(count)
}

fn take_counted(count: u64) -> Option<Promised> {
    let stack = stack();
    // Who counts holds the lock meanwhile.
    let mut budget = BUDGET.try_lock()?;
    budget.left = budget.left.checked_sub(count + stack)?;
    Some(Promised::new(stack))
}

fn count_and_take(count: u64) -> Result<Promised, Error> {
    let stack = stack();
    BUDGET
        .lock()
        .take(count + stack, Instant::now(), look)
        .map(|()| Promised::new(stack))
        .map_err(|Full { mapped, limit }| {
            Error::new(
                Reason::OutOfMemory,
                format!(
                    "too many instances: the process has {mapped} memory mappings of the {limit} \
                     that the system allows (vm.max_map_count), and a part is kept for others; \
                     drop instances, compile the plugin with `memory_layout: :dense`, or raise \
                     that limit"
                ),
            )
        })
}

#[cfg(target_os = "linux")]
fn stack() -> u64 {
    crate::stacks::mappings()
}

#[cfg(not(target_os = "linux"))]
fn stack() -> u64 {
    0
}

/// How many mappings there are or will be, and how many there may be.
type Look = Option<(u64, u64)>;

#[derive(Default)]
struct Budget {
    left: u64,
    full: Option<(Instant, Full)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Full {
    mapped: u64,
    limit: u64,
}

impl Budget {
    fn take(&mut self, count: u64, now: Instant, look: impl FnOnce() -> Look) -> Result<(), Full> {
        if count > self.left {
            if let Some((since, full)) = self.full
                && now.duration_since(since) < PATIENCE
            {
                return Err(full);
            }
            self.full = None;
            self.left = match look() {
                // A system without such a limit.
                None => u64::MAX,
                Some((mapped, limit)) => {
                    let left = (limit - limit / MARGIN).saturating_sub(mapped);
                    if count > left {
                        let full = Full { mapped, limit };
                        (self.left, self.full) = (0, Some((now, full)));
                        return Err(full);
                    }
                    left
                }
            };
        }
        self.left -= count;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn look() -> Look {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
    let mapped = lines("/proc/self/maps")? + PROMISED.load(Relaxed);
    Some((mapped, limit.trim().parse().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn look() -> Look {
    None
}

#[cfg(target_os = "linux")]
fn lines(path: &str) -> Option<u64> {
    use std::io::Read;
    let mut file = std::fs::File::open(path).ok()?;
    let mut part = vec![0; 64 << 10];
    let mut lines = 0;
    loop {
        match file.read(&mut part).ok()? {
            0 => return Some(lines),
            length => lines += part[..length].iter().filter(|b| **b == b'\n').count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_os = "linux")]
    use {
        crate::{
            CallOptions, CompileOptions, LOG_OFF, Links, Plugin, PluginOptions, Slice, Step,
            compile,
        },
        std::sync::Arc,
    };

    #[test]
    fn what_is_there_is_counted_when_what_was_left_is_taken() {
        let now = Instant::now();
        let mut budget = Budget::default();
        assert_eq!(budget.take(100, now, || Some((700, 1600))), Ok(()));
        for _ in 0..7 {
            assert_eq!(
                budget.take(100, now, || panic!("there were 800 left")),
                Ok(())
            );
        }
        // They took less than was thought, or were given back.
        assert_eq!(budget.take(100, now, || Some((1300, 1600))), Ok(()));
        assert_eq!(budget.left, 100);
    }

    #[test]
    fn a_margin_is_left_and_a_refusal_stands_for_a_while() {
        let now = Instant::now();
        let full = Full {
            mapped: 1450,
            limit: 1600,
        };
        let mut budget = Budget::default();
        assert_eq!(budget.take(51, now, || Some((1450, 1600))), Err(full));
        assert_eq!(budget.take(51, now, || panic!("too soon")), Err(full));
        let later = now + PATIENCE;
        assert_eq!(budget.take(51, later, || Some((1449, 1600))), Ok(()));
    }

    #[test]
    fn a_system_that_does_not_tell_has_no_limit() {
        let mut budget = Budget::default();
        let now = Instant::now();
        assert_eq!(budget.take(1 << 40, now, || None), Ok(()));
        assert_eq!(budget.take(1 << 40, now, || panic!("asked again")), Ok(()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_instance_takes_no_more_than_is_counted() {
        // As many as there may be with the kernel's.
        let own = 15;
        let (much, memories) = ("x".repeat(150_000), "(memory 4)".repeat(own));
        // What is dropped gives back some.
        let mut all = Vec::new();
        for (text, least) in [
            (format!("(module {memories} (table 1 externref))"), 2 * own),
            (
                format!(r#"(module (memory 4) (data (i32.const 5000) "{much}"))"#),
                3,
            ),
            ("(module)".into(), 1),
        ] {
            let links = links(&text);
            let before = lines("/proc/self/maps").unwrap();
            all.extend((0..100).map(|_| plugin(&links)));
            // Others map something, too.
            let each = lines("/proc/self/maps").unwrap().saturating_sub(before) / 100;
            assert!(each >= least as u64, "{each}");
            assert!(each <= links.mappings(), "{each} of {}", links.mappings());
        }
    }

    #[cfg(target_os = "linux")]
    fn links(text: &str) -> Arc<Links> {
        let (done, outcome) = std::sync::mpsc::channel();
        let options = CompileOptions::default();
        compile(text.as_bytes().to_vec(), options, None, move |outcome| {
            done.send(outcome).unwrap();
        });
        let (compiled, _) = outcome.recv().unwrap().unwrap();
        Links::new(&vec![("main".into(), compiled)], 0, &[], false).unwrap()
    }

    /// One that has its instance.
    #[cfg(target_os = "linux")]
    fn plugin(links: &Arc<Links>) -> Arc<Plugin> {
        let plugin = Plugin::new(links.clone(), PluginOptions::default()).unwrap();
        let options = CallOptions {
            timeout: None,
            log_level: LOG_OFF,
        };
        let mut call = plugin.initialise(options).unwrap();
        loop {
            match call.resume(Slice::Dirty, None) {
                Step::Done(mut finished) => break finished.output().map(drop).unwrap(),
                Step::Parked(_) => panic!("nothing is to be asked for"),
                Step::SliceOver | Step::Waiting(_) => std::thread::yield_now(),
            }
        }
        plugin
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_mappings_of_this_process_are_counted() {
        let (mapped, limit) = look().unwrap();
        assert!(mapped > 10 && limit > mapped, "{mapped} of {limit}");
    }
}
