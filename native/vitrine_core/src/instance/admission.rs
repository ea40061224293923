//! Decides when and where an instance may be made. It is made on a normal scheduler if that is known to be short. It
//! waits until most discarded instances of its module have been dropped. The memory mappings that it will take are
//! counted before it is made.

use std::future::poll_fn;
use std::task::Poll;

use vitrine_memory::mappings::{self, Full, Promised};

use crate::error::{Error, Reason};
use crate::host::control::Control;
use crate::host::plugin_state::PluginState;
use crate::link::LinkedPlugin;

/// Whether making an instance is known to be short enough for a normal scheduler.
pub(crate) fn is_short(linked: &LinkedPlugin, plugin: &PluginState) -> bool {
    linked.predictor.is_quick() && !plugin.opens_directories()
}

/// Waits until a call may make its instance, and runs on a scheduler where it may.
pub(crate) async fn admit(linked: &LinkedPlugin, plugin: &PluginState) {
    let short = is_short(linked, plugin);
    poll_fn(|context| {
        if !short && !plugin.control.is_dirty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let admits = linked.main().backlog.admits(context.waker());
        plugin.control.hold_back(!admits);
        match admits {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Takes `count` memory mappings for an instance that is about to be made, and those of a stack. If the mappings of the
/// process have to be counted for that, the call continues on a dirty scheduler.
pub(crate) async fn take_mappings(control: &Control, count: u64) -> Result<Promised, Error> {
    if let Some(promised) = mappings::try_take(count) {
        return Ok(promised);
    }
    control.on_dirty().await;
    mappings::take(count).map_err(|full| too_many_instances(&full))
}

fn too_many_instances(Full { mapped, limit }: &Full) -> Error {
    Error::new(
        Reason::OutOfMemory,
        format!(
            "too many instances: the process has {mapped} memory mappings of the {limit} that the system allows \
             (vm.max_map_count), and a part is kept for others; drop instances, compile the plugin with \
             `memory_layout: :dense`, or raise that limit"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use crate::schedule::reaper::reap;
    use crate::{
        Awaited, CallOptions, CompileOptions, LOG_OFF, LinkedPlugin, Plugin, PluginOptions,
        Scheduler, Step, compile,
    };

    /// A value whose drop takes until the sender is gone.
    struct Slow(mpsc::Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn a_call_that_waits_until_instances_are_dropped_says_so_when_its_time_is_over() {
        let (done, compiled) = mpsc::channel();
        let text = br#"(module (func (export "run")) (; held back ;))"#;
        compile(text.to_vec(), CompileOptions::default(), None, move |c| {
            done.send(c).unwrap();
        });
        let (module, _) = compiled.recv().unwrap().unwrap();
        let backlog = Arc::clone(&module.backlog);
        let linked = LinkedPlugin::new(&vec![("main".into(), module)], 0, &[], false).unwrap();
        let plugin = Plugin::new(linked, PluginOptions::default()).unwrap();
        let mut hold = Vec::new();
        for _ in 0..20 {
            let (end, ended) = mpsc::channel();
            hold.push(end);
            reap(Slow(ended), Some(Arc::clone(&backlog)));
        }
        let options = CallOptions {
            timeout: Some(Duration::from_millis(20)),
            log_level: LOG_OFF,
        };
        let mut call = plugin.start("run", b"", options).unwrap();
        let error = loop {
            match call.resume(Scheduler::Dirty, None) {
                Step::Done(mut finished) => break finished.output().unwrap_err().clone(),
                Step::Waiting(left) => std::thread::sleep(left.unwrap()),
                _ => (),
            }
        };
        let spent = error.spent.unwrap();
        let waits: Vec<_> = spent.awaited.iter().map(|(what, _)| what).collect();
        assert_eq!(waits, [&Awaited::Admission]);
        drop(hold);
    }
}
