//! Admits an instance to the process: the memory mappings that it will take are counted before it is made.

use vitrine_memory::mappings::{self, Full, Promised};

use crate::control::Control;
use crate::error::{Error, Reason};

/// Takes the mappings of an instance that is about to be made: so many, and those of a stack. If mappings have to be
/// counted for that, the call goes on on a dirty scheduler.
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
