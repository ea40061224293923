//! The kernel's functions as exports of a WebAssembly module. What they do is in the crate
//! `vitrine_kernel`.

#![no_std]
#![cfg(target_arch = "wasm32")]

mod memory;

use memory::LinearMemory;
use vitrine_kernel::Kernel;

/// Required by the language; nothing in the kernel panics.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Exports methods of the kernel under their own names.
macro_rules! export {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        // SAFETY: the module is linked with nothing that could define or call a function of this
        // name.
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            Kernel::new(LinearMemory).$name($($argument),*)
        }
    )*};
}

export! {
    alloc(length: u64) -> u64;
    free(handle: u64);
    length(handle: u64) -> u64;
    length_unsafe(handle: u64) -> u64;
    load_u8(offset: u64) -> u8;
    load_u64(offset: u64) -> u64;
    store_u8(offset: u64, value: u8);
    store_u64(offset: u64, value: u64);
    input_length() -> u64;
    input_offset() -> u64;
    input_load_u8(index: u64) -> u8;
    input_load_u64(index: u64) -> u64;
    input_set(offset: u64, length: u64);
    output_set(offset: u64, length: u64);
    output_offset() -> u64;
    output_length() -> u64;
    error_set(handle: u64);
    error_get() -> u64;
    reset();
    memory_bytes() -> u64;
}
