//! An instance of `priv/kernel.wasm`.

#![allow(dead_code)] // Each test file uses a part.

use vitrine_kernel::{Kernel, SliceMemory};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc, WasmParams, WasmResults};

pub const KERNEL: &[u8] = include_bytes!("../../../../priv/kernel.wasm");

/// An instance of the kernel.
pub struct Wasm {
    pub store: Store<()>,
    instance: Instance,
    pub memory: Memory,
}

impl Wasm {
    pub fn new() -> Self {
        thread_local! {
            static MODULE: Module = Module::new(&Engine::default(), KERNEL).expect("a valid module");
        }
        MODULE.with(|module| {
            let mut store = Store::new(module.engine(), ());
            let instance =
                Instance::new(&mut store, module, &[]).expect("a module without imports");
            let memory = instance
                .get_memory(&mut store, "memory")
                .expect("the memory");
            Self {
                store,
                instance,
                memory,
            }
        })
    }

    pub fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, arguments: P) -> R {
        let function: TypedFunc<P, R> = self
            .instance
            .get_typed_func(&mut self.store, name)
            .expect(name);
        function.call(&mut self.store, arguments).expect("no trap")
    }

    pub fn alloc(&mut self, length: u64) -> u64 {
        self.call("alloc", length)
    }

    pub fn length(&mut self, handle: u64) -> u64 {
        let length = self.call("length", handle);
        assert_eq!(self.call::<_, u64>("length_unsafe", handle), length);
        length
    }

    pub fn free(&mut self, handle: u64) {
        self.call("free", handle)
    }

    /// Allocates, and checks the length unless there is not enough memory.
    pub fn alloc_checked(&mut self, length: u64) -> u64 {
        let handle = self.alloc(length);
        if handle != 0 {
            assert_eq!(self.length(handle), length);
        }
        handle
    }

    /// The native kernel over this instance's memory.
    pub fn native(&mut self) -> Kernel<SliceMemory<'_>> {
        Kernel::new(SliceMemory::new(self.memory.data_mut(&mut self.store)))
    }
}
