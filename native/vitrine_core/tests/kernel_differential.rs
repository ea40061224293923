//! Compares `priv/kernel.wasm` with the native kernel: they must behave the same, also when they take turns on one
//! memory.

mod kernel_support;

use kernel_support::Wasm;
use proptest::prelude::*;
use vitrine_kernel::layout::STACK_SIZE;
use vitrine_kernel::{Kernel, SliceMemory};

/// A call of an exported function.
#[derive(Clone, Debug)]
enum Call {
    Alloc(u64),
    /// On an earlier block (nothing as long as there is none), or a forged offset near one.
    OnBlock(Function, prop::sample::Index, u64),
    Anywhere(Function, u64, u64),
    Reset,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Free,
    Length,
    LoadU8,
    LoadU64,
    StoreU8,
    StoreU64,
    InputLoad,
    InputSet,
    OutputSet,
    ErrorSet,
}

fn call() -> impl Strategy<Value = Call> {
    use Function::*;
    let function = || {
        let all = [
            Free, Free, Length, LoadU8, LoadU64, StoreU8, StoreU64, InputLoad, InputSet, OutputSet,
            ErrorSet,
        ];
        prop::sample::select(all.to_vec())
    };
    let length = prop_oneof![
        3 => 0..300u64,
        2 => 300..20_000u64,
        2 => 20_000..900_000u64,
        1 => (1u64 << 40)..u64::MAX,
    ];
    let near = prop_oneof![3 => Just(0u64), 1 => 0..40u64, 1 => any::<u64>()];
    prop_oneof![
        6 => length.prop_map(Call::Alloc),
        8 => (function(), any::<prop::sample::Index>(), near)
            .prop_map(|(function, block, near)| Call::OnBlock(function, block, near)),
        2 => (function(), 0..200_000_000u64, any::<u64>())
            .prop_map(|(function, offset, value)| Call::Anywhere(function, offset, value)),
        1 => Just(Call::Reset),
    ]
}

impl Function {
    fn on_wasm(self, wasm: &mut Wasm, at: u64, value: u64) -> u64 {
        match self {
            Self::Free => wasm.free(at),
            Self::Length => return wasm.length(at),
            Self::LoadU8 => return wasm.call::<_, u32>("load_u8", at).into(),
            Self::LoadU64 => return wasm.call("load_u64", at),
            Self::StoreU8 => wasm.call("store_u8", (at, value as u32)),
            Self::StoreU64 => wasm.call("store_u64", (at, value)),
            Self::InputLoad => {
                let byte: u32 = wasm.call("input_load_u8", value);
                return wasm.call::<_, u64>("input_load_u64", value) ^ u64::from(byte);
            }
            Self::InputSet => wasm.call("input_set", (at, value)),
            Self::OutputSet => wasm.call("output_set", (at, value)),
            Self::ErrorSet => wasm.call("error_set", at),
        }
        0
    }

    fn on_native(self, kernel: &mut Kernel<SliceMemory<'_>>, at: u64, value: u64) -> u64 {
        match self {
            Self::Free => kernel.free(at),
            Self::Length => return kernel.length(at),
            Self::LoadU8 => return kernel.load_u8(at).into(),
            Self::LoadU64 => return kernel.load_u64(at),
            Self::StoreU8 => kernel.store_u8(at, value as u8),
            Self::StoreU64 => kernel.store_u64(at, value),
            Self::InputLoad => {
                return kernel.input_load_u64(value) ^ u64::from(kernel.input_load_u8(value));
            }
            Self::InputSet => kernel.input_set(at, value),
            Self::OutputSet => kernel.output_set(at, value),
            Self::ErrorSet => kernel.error_set(at),
        }
        0
    }
}

/// Allocates as the host does it: natively, growing the memory and trying once more when pages are
/// missing.
fn native_alloc(wasm: &mut Wasm, length: u64) -> u64 {
    let mut kernel = wasm.native();
    let block = kernel.alloc(length);
    let wanted = kernel.memory().wanted_pages();
    if block != 0 || wanted == 0 || wasm.memory.grow(&mut wasm.store, wanted.into()).is_err() {
        return block;
    }
    wasm.native().alloc(length)
}

/// Makes a call on an instance, in wasm or natively, and gives its result.
fn make(wasm: &mut Wasm, natively: bool, call: &Call, blocks: &[u64]) -> u64 {
    let (function, at, value) = match call {
        Call::Alloc(length) if natively => return native_alloc(wasm, *length),
        Call::Alloc(length) => return wasm.alloc(*length),
        Call::Reset if natively => {
            wasm.native().reset();
            return 0;
        }
        Call::Reset => {
            wasm.call::<_, ()>("reset", ());
            return 0;
        }
        Call::OnBlock(_, _, _) if blocks.is_empty() => return 0,
        Call::OnBlock(function, block, near) => {
            (function, block.get(blocks).wrapping_add(*near), *near)
        }
        Call::Anywhere(function, at, value) => (function, *at, *value),
    };
    if natively {
        function.on_native(&mut wasm.native(), at, value)
    } else {
        function.on_wasm(wasm, at, value)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// One instance runs in wasm, one natively, and one changes between the two from call to call:
    /// all give the same results and leave the same memory.
    #[test]
    fn wasm_and_native_are_the_same_kernel(
        calls in prop::collection::vec((call(), any::<bool>()), 1..80),
    ) {
        let mut instances = [Wasm::new(), Wasm::new(), Wasm::new()];
        let mut blocks = Vec::new();
        for (call, natively) in &calls {
            let how = [false, true, *natively];
            let results: Vec<u64> = instances
                .iter_mut()
                .zip(how)
                .map(|(wasm, natively)| make(wasm, natively, call, &blocks))
                .collect();
            prop_assert_eq!(results[0], results[1]);
            prop_assert_eq!(results[0], results[2]);
            if matches!(call, Call::Alloc(_)) {
                blocks.push(results[0]);
            }
        }
        // Below the kernel's data is the stack, which only wasm uses.
        let memories = instances
            .each_ref()
            .map(|wasm| &wasm.memory.data(&wasm.store)[STACK_SIZE as usize..]);
        prop_assert!(memories[0] == memories[1] && memories[0] == memories[2]);
    }
}
