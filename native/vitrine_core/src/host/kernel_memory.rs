//! The host's access to the kernel's memory: the kernel's own code, run natively over its bytes. Nothing in that memory is
//! trusted, so every range is checked against its size.

use std::fmt::Display;
use std::ops::Range;

use vitrine_kernel::layout::{HEAP_START, PAGE_SIZE};
use vitrine_kernel::{Kernel, SliceMemory};
use vitrine_memory::decommit;
use wasmtime::{AsContext, AsContextMut, Caller, Memory, Result};

use crate::error::Stop;
use crate::host::HostView;
use crate::host::protocol::LARGE;
use crate::text;

/// The kernel's memory, if the store has one: not every guest is given a kernel.
fn memory(context: &impl AsContext<Data: HostView>) -> Option<Memory> {
    context.as_context().data().host().kernel
}

/// Runs the kernel's own code over its memory. The result is `None` if the store has no kernel.
fn with_kernel<R>(
    mut context: impl AsContextMut<Data: HostView>,
    run: impl FnOnce(&mut Kernel<SliceMemory<'_>>) -> R,
) -> Option<R> {
    let memory = memory(&context)?;
    let bytes = memory.data_mut(&mut context);
    Some(run(&mut Kernel::new(SliceMemory::new(bytes))))
}

/// The error of a guest without a kernel that asked for a block.
fn no_kernel() -> Stop {
    Stop::Abi("the plugin has no memory of the Extism ABI".into())
}

/// The bytes of the block at `handle`: no bytes if the handle is 0, and `None` if it is not the handle of a block.
pub(crate) fn read(context: &mut impl AsContextMut<Data: HostView>, handle: i64) -> Option<&[u8]> {
    if handle == 0 {
        return Some(&[]);
    }
    let bytes = memory(context)?.data_mut(context);
    let range = Kernel::new(SliceMemory::new(bytes)).block(handle as u64)?;
    bytes.get(range)
}

/// The range of the block at `handle`, which the guest gave as `what`. The range is inside the memory, and stays the same as
/// long as the guest waits.
pub(crate) fn block(
    context: &mut impl AsContextMut<Data: HostView>,
    handle: i64,
    what: impl FnOnce() -> String,
) -> Result<Range<usize>> {
    if handle == 0 {
        return Ok(0..0);
    }
    let block = with_kernel(context, |kernel| kernel.block(handle as u64)).flatten();
    block.ok_or_else(|| invalid_handle(handle, what()).into())
}

/// A copy of the block at `handle`, which the guest gave as `what`.
pub(crate) async fn copy<T: HostView>(
    caller: &mut Caller<'_, T>,
    handle: i64,
    what: impl FnOnce() -> String,
) -> Result<Vec<u8>> {
    let block = block(caller, handle, what)?;
    if block.len() > LARGE {
        let plugin = caller.data().host().plugin.clone();
        plugin.control.on_dirty().await;
    }
    Ok(bytes(caller, block).to_vec())
}

/// The error of a guest whose `what` is not the handle of a block.
pub(crate) fn invalid_handle(handle: i64, what: impl Display) -> Stop {
    Stop::Abi(format!("invalid handle offset for {what}: {handle}"))
}

/// Frees a block that the guest handed over; any other handle is left alone. Before version 1.0 of the ABI, blocks were lent to
/// the host, and the guest freed them itself.
pub(crate) fn free(context: &mut impl AsContextMut<Data: HostView>, handle: i64) {
    if context.as_context().data().host().plugin.lends_blocks {
        return;
    }
    with_kernel(context, |kernel| kernel.free(handle as u64));
}

/// The handle of a new block with these bytes; 0 if there are no bytes.
pub(crate) fn alloc(context: &mut impl AsContextMut<Data: HostView>, bytes: &[u8]) -> Result<i64> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let memory = memory(context).ok_or_else(no_kernel)?;
    // The kernel cannot grow its memory from here. It says how much it lacks, and is asked again once the memory has grown.
    for _ in 0..2 {
        let mut kernel = Kernel::new(SliceMemory::new(memory.data_mut(&mut *context)));
        if let Some(handle) = try_alloc(&mut kernel, bytes) {
            return Ok(handle as i64);
        }
        let wanted = kernel.memory().wanted_pages();
        if wanted == 0 {
            break;
        }
        memory.grow(&mut *context, u64::from(wanted)).map_err(|e| {
            if e.is::<Stop>() {
                e
            } else {
                out_of_memory(bytes)
            }
        })?;
    }
    Err(out_of_memory(bytes))
}

/// The handle of a new block with these bytes, if the memory is large enough already.
fn try_alloc(kernel: &mut Kernel<SliceMemory<'_>>, bytes: &[u8]) -> Option<u64> {
    let handle = kernel.alloc(bytes.len() as u64);
    let range = kernel.range(handle, bytes.len() as u64)?;
    kernel
        .memory_mut()
        .bytes_mut()
        .get_mut(range)?
        .copy_from_slice(bytes);
    Some(handle)
}

fn out_of_memory(bytes: &[u8]) -> wasmtime::Error {
    let length = bytes.len();
    Stop::OutOfMemory(format!(
        "the kernel has no room for a block of {length} bytes"
    ))
    .into()
}

/// Begins a call: frees all blocks of the last one and sets the input.
pub(crate) fn begin_call(
    context: &mut impl AsContextMut<Data: HostView>,
    input: &[u8],
) -> Result<()> {
    let memory = memory(context).ok_or_else(no_kernel)?;
    let mut kernel = Kernel::new(SliceMemory::new(memory.data_mut(&mut *context)));
    kernel.reset();
    if input.is_empty() {
        return Ok(());
    }
    let length = input.len() as u64;
    if let Some(handle) = try_alloc(&mut kernel, input) {
        kernel.input_set(handle, length);
        return Ok(());
    }
    let handle = alloc(context, input)?;
    with_kernel(context, |kernel| kernel.input_set(handle as u64, length));
    Ok(())
}

/// The result that a call left in the kernel: an error message, or an output.
#[derive(Default)]
pub(crate) struct Left {
    /// Whether there may be an error message.
    pub(crate) error: bool,
    /// Whether the block of the message was freed. If the guest returned 0, there is no error then.
    pub(crate) error_freed: bool,
    /// The range of the output. It was inside the memory when this value was made.
    pub(crate) output: Range<usize>,
}

/// Reads what the call left.
pub(crate) fn left(context: impl AsContextMut<Data: HostView>) -> Left {
    with_kernel(context, |kernel| match kernel.error_get() {
        0 => Left {
            error: false,
            error_freed: false,
            output: kernel.output(),
        },
        handle => Left {
            error: true,
            error_freed: kernel.block(handle).is_none(),
            output: kernel.output(),
        },
    })
    .unwrap_or_default()
}

/// The bytes of a range of the kernel's memory.
pub(crate) fn bytes(context: &mut impl AsContextMut<Data: HostView>, range: Range<usize>) -> &[u8] {
    match memory(context) {
        Some(memory) => memory.data_mut(context).get(range).unwrap_or(&[]),
        None => &[],
    }
}

/// The guest's error message, if it set one that is not empty. The guest may have freed its block since.
pub(crate) fn error(context: &mut impl AsContextMut<Data: HostView>) -> Option<String> {
    let range = with_kernel(&mut *context, |kernel| kernel.error())??;
    Some(bytes(context, range))
        .filter(|said| !said.is_empty())
        .map(|said| text::said(said, text::MESSAGE))
}

/// Sets `text` as the kernel's error.
pub(crate) fn set_error(
    context: &mut impl AsContextMut<Data: HostView>,
    text: &[u8],
) -> Result<()> {
    let handle = alloc(context, text)?;
    with_kernel(context, |kernel| kernel.error_set(handle as u64));
    Ok(())
}

/// Pages of the heap that stay resident for the next call.
const KEPT: u32 = 4;
/// Pages that are decommitted at a time, which takes the system a tenth of a millisecond.
const STEP: u32 = 32;

/// The number of pages at the start of the heap that the last call used, if it is more than are kept; otherwise 0.
pub(crate) fn take_large_peak(context: &mut impl AsContextMut<Data: HostView>) -> u32 {
    with_kernel(context, |kernel| match kernel.peak() {
        peak if peak > KEPT => {
            kernel.forget_peak();
            peak
        }
        _ => 0,
    })
    .unwrap_or(0)
}

/// Decommits the last of the first `pages` pages of the heap, between two calls. The result is how many are left, or 0 if all
/// that are left are kept.
pub(crate) fn trim(context: &mut impl AsContextMut<Data: HostView>, pages: u32) -> u32 {
    let left = pages.saturating_sub(STEP).max(KEPT);
    with_kernel(context, |kernel| {
        // Frees the blocks of the last call, as the next call would do.
        kernel.reset();
        let at = |page: u32| HEAP_START as usize + page as usize * PAGE_SIZE as usize;
        let bytes = kernel.memory_mut().bytes_mut();
        let end = at(pages).min(bytes.len());
        if let Some(unused) = bytes.get_mut(at(left)..end) {
            // The kernel reads nothing from its heap that was not written since the last reset.
            decommit(unused);
        }
    });
    if left > KEPT { left } else { 0 }
}
