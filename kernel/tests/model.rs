//! Random sequences of calls against a simple model, and against a memory full of garbage.

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use support::{VecMemory, borrowed, end, kernel};
use vitrine_kernel::Kernel;
use vitrine_kernel::layout::{HEAP_START, MIN_PAGES, PAGE_SIZE};

#[derive(Clone, Debug)]
enum Call {
    Alloc(u64),
    Free(prop::sample::Index),
    /// At a distance from the start of the heap, or anywhere.
    FreeForged(u64),
    StoreInside(prop::sample::Index, prop::sample::Index, u64),
    StoreU8(u64, u8),
    StoreU64(u64, u64),
    InputSet(prop::sample::Index),
    OutputSet(u64, u64),
    /// A block, which is often freed next, as guests do.
    OutputSetBlock(prop::sample::Index, bool),
    ErrorSetBlock(prop::sample::Index, bool),
    Reset,
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..200u64,
        2 => 200..17_000u64,
        2 => 17_000..400_000u64,
        1 => (1..20u64).prop_map(|pages| pages * 65_536),
        1 => any::<u64>(),
    ]
}

fn offset() -> impl Strategy<Value = u64> {
    let heap = u64::from(HEAP_START);
    prop_oneof![
        6 => (0..500_000u64).prop_map(move |distance| heap + distance),
        3 => (0..30_000u64).prop_map(move |distance| heap + distance * 16),
        1 => (0..9u64, 0..40u64).prop_map(move |(page, near)| heap + page * 65_536 + near - 20),
        1 => 0..heap,
        1 => any::<u64>(),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => length().prop_map(Call::Alloc),
        5 => index().prop_map(Call::Free),
        2 => offset().prop_map(Call::FreeForged),
        4 => (index(), index(), any::<u64>())
            .prop_map(|(block, at, value)| Call::StoreInside(block, at, value)),
        2 => (offset(), any::<u8>()).prop_map(|(offset, value)| Call::StoreU8(offset, value)),
        2 => (offset(), any::<u64>()).prop_map(|(offset, value)| Call::StoreU64(offset, value)),
        1 => index().prop_map(Call::InputSet),
        1 => (offset(), length()).prop_map(|(offset, length)| Call::OutputSet(offset, length)),
        1 => (index(), any::<bool>()).prop_map(|(block, free)| Call::OutputSetBlock(block, free)),
        1 => (index(), any::<bool>()).prop_map(|(block, free)| Call::ErrorSetBlock(block, free)),
        1 => Just(Call::Reset),
    ]
}

/// What should be so: the active blocks with their bytes, and the ranges that were set.
#[derive(Default)]
struct Model {
    blocks: BTreeMap<u64, Vec<u8>>,
    input: (u64, u64),
    output: (u64, u64),
    error: (u64, u64),
    /// The bytes of a block that was made the output or the error message.
    held: [Option<Held>; 2],
}

/// Where bytes are that stay, whether their block is freed or not, and which they are.
#[derive(Clone)]
struct Held {
    at: u64,
    bytes: Vec<u8>,
}

impl Held {
    fn byte(&mut self, offset: u64) -> Option<&mut u8> {
        let at = offset.checked_sub(self.at)?;
        self.bytes.get_mut(at as usize)
    }
}

const OUTPUT: usize = 0;
const ERROR: usize = 1;

impl Model {
    fn pick(&self, index: &prop::sample::Index) -> Option<u64> {
        let handles: Vec<u64> = self.blocks.keys().copied().collect();
        (!handles.is_empty()).then(|| handles[index.index(handles.len())])
    }

    /// The byte at an offset, if a block has it.
    fn byte(&mut self, offset: u64) -> Option<&mut u8> {
        let (handle, bytes) = self.blocks.range_mut(..=offset).next_back()?;
        bytes.get_mut((offset - handle) as usize)
    }

    fn add(&mut self, kernel: &Kernel<VecMemory>, handle: u64, length: u64) {
        let range = kernel.block(handle).expect("a new block is active");
        assert_eq!(range, handle as usize..(handle + length) as usize);
        assert!(handle.is_multiple_of(16) && handle + length <= end(kernel));
        let before = self.blocks.range(..handle + length).next_back();
        assert!(
            before.is_none_or(|(other, bytes)| other + bytes.len() as u64 <= handle),
            "blocks overlap"
        );
        for (held, held_length) in [self.input, self.output, self.error] {
            assert!(
                held_length == 0 || handle >= held + held_length || handle + length <= held,
                "a block that is read later was handed out"
            );
        }
        self.blocks
            .insert(handle, kernel.memory().bytes[range].to_vec());
    }

    /// Takes note of a block that was made the output or the error message.
    fn hold(&mut self, which: usize, handle: u64) -> (u64, u64) {
        let bytes = self.blocks[&handle].clone();
        let range = (handle, bytes.len() as u64);
        self.held[which] = Some(Held { at: handle, bytes });
        range
    }

    fn free(&mut self, handle: u64) {
        if self.blocks.remove(&handle).is_some() && handle == self.input.0 {
            self.input.1 = 0;
        }
    }

    /// Follows a store of some bytes, which must have been made if it lies in a block as a whole.
    fn store(&mut self, stored: bool, offset: u64, bytes: &[u8]) {
        let offsets = || (0..bytes.len() as u64).map(|i| offset.wrapping_add(i));
        let inside = offsets()
            .filter(|&offset| self.byte(offset).is_some())
            .count();
        assert!(
            stored || inside < bytes.len(),
            "a store into a block was not made"
        );
        if stored {
            for (offset, value) in offsets().zip(bytes) {
                self.byte(offset)
                    .into_iter()
                    .for_each(|byte| *byte = *value);
                for held in self.held.iter_mut().flatten() {
                    held.byte(offset)
                        .into_iter()
                        .for_each(|byte| *byte = *value);
                }
            }
        }
    }

    fn check(&self, kernel: &Kernel<VecMemory>) {
        for (&handle, bytes) in &self.blocks {
            assert_eq!(kernel.length(handle), bytes.len() as u64);
            assert!(
                kernel.memory().bytes[handle as usize..][..bytes.len()] == *bytes,
                "contents changed"
            );
        }
        assert_eq!((kernel.input_offset(), kernel.input_length()), self.input);
        assert_eq!(
            (kernel.output_offset(), kernel.output_length()),
            self.output
        );
        let error = self.error.0 as usize..(self.error.0 + self.error.1) as usize;
        assert_eq!(
            kernel.error(),
            Some(error).filter(|error| !error.is_empty())
        );
        for held in self.held.iter().flatten() {
            assert!(
                kernel.memory().bytes[held.at as usize..][..held.bytes.len()] == held.bytes,
                "an output or an error message changed"
            );
        }
    }
}

fn free_next(kernel: &mut Kernel<VecMemory>, model: &mut Model, handle: u64, free: bool) {
    if free {
        kernel.free(handle);
        model.free(handle);
    }
}

fn apply(kernel: &mut Kernel<VecMemory>, model: &mut Model, call: &Call) {
    match call {
        Call::Alloc(length) => match kernel.alloc(*length) {
            0 => assert!(
                *length == 0 || *length > 20 << 16 || kernel.memory().bytes.len() > 900 << 16
            ),
            handle => model.add(kernel, handle, *length),
        },
        Call::Free(index) => {
            if let Some(handle) = model.pick(index) {
                kernel.free(handle);
                model.free(handle);
                assert_eq!(kernel.length(handle), 0);
            }
        }
        Call::FreeForged(offset) => {
            assert_eq!(
                kernel.length(*offset) != 0,
                model.blocks.contains_key(offset)
            );
            kernel.free(*offset);
            model.free(*offset);
        }
        Call::StoreInside(index, at, value) => {
            if let Some(handle) = model.pick(index) {
                let offset = handle + at.index(model.blocks[&handle].len()) as u64;
                kernel.store_u8(offset, *value as u8);
                model.store(true, offset, &[*value as u8]);
                kernel.store_u64(offset, *value);
                model.store(
                    kernel.load_u64(offset) == *value,
                    offset,
                    &value.to_le_bytes(),
                );
            }
        }
        Call::StoreU8(offset, value) => {
            kernel.store_u8(*offset, *value);
            model.store(kernel.load_u8(*offset) == *value, *offset, &[*value]);
        }
        Call::StoreU64(offset, value) => {
            kernel.store_u64(*offset, *value);
            model.store(
                kernel.load_u64(*offset) == *value,
                *offset,
                &value.to_le_bytes(),
            );
        }
        Call::InputSet(index) => {
            if let Some(handle) = model.pick(index) {
                model.input = (handle, kernel.length(handle));
                kernel.input_set(handle, model.input.1);
                assert_eq!(kernel.input_load_u8(0), model.blocks[&handle][0]);
            }
        }
        Call::OutputSet(offset, length) => {
            kernel.output_set(*offset, *length);
            let inside = (u64::from(HEAP_START)..end(kernel)).contains(offset)
                && *length <= end(kernel) - offset;
            if inside {
                model.output = (*offset, *length);
                model.held[OUTPUT] = None;
            }
        }
        Call::OutputSetBlock(index, free) => {
            if let Some(handle) = model.pick(index) {
                model.output = model.hold(OUTPUT, handle);
                kernel.output_set(handle, model.output.1);
                free_next(kernel, model, handle, *free);
            }
        }
        Call::ErrorSetBlock(index, free) => {
            if let Some(handle) = model.pick(index) {
                model.error = model.hold(ERROR, handle);
                kernel.error_set(handle);
                free_next(kernel, model, handle, *free);
            }
        }
        Call::Reset => {
            kernel.reset();
            *model = Model::default();
        }
    }
}

/// Offsets that may well be handles where the page table is garbage.
fn garbage_offset() -> impl Strategy<Value = u64> {
    let page = (0..20u64).prop_map(|page| u64::from(HEAP_START) + page * 65_536);
    prop_oneof![offset(), page]
}

/// Fills megabytes quickly: with noise under a mask, or with the extremes of every field.
fn garbage(bytes: &mut [u8], mut seed: u64, mask: Option<u64>) {
    for chunk in bytes.chunks_exact_mut(8) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let word = match mask {
            Some(mask) => seed & mask,
            None => (seed & 0x0001_0001_0001_0001) * 0xFFFF,
        };
        chunk.copy_from_slice(&word.to_le_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_kernel_does_what_the_model_does(calls in prop::collection::vec(call(), 1..120)) {
        let mut kernel = kernel();
        let mut model = Model::default();
        for call in &calls {
            apply(&mut kernel, &mut model, call);
            model.check(&kernel);
        }
    }

    #[test]
    fn garbage_makes_nothing_panic_or_hang(
        seed in 1..u64::MAX,
        // Also sparse garbage, and small numbers: these get further than noise.
        mask in prop_oneof![
            2 => Just(None),
            1 => any::<u64>().prop_map(Some),
            1 => Just(Some(u64::MAX)),
            1 => Just(Some(0x0003_0003_0001_0003)),
            1 => Just(Some(0x003f_003f_003f_003f)),
        ],
        pages in 0..MIN_PAGES + 3,
        generation in any::<bool>(),
        calls in prop::collection::vec((0..16u8, garbage_offset(), length()), 1..60),
    ) {
        let mut bytes = vec![0; (pages * PAGE_SIZE) as usize];
        garbage(&mut bytes, seed, mask);
        if generation && pages > 0 {
            // All pages look assigned in this generation.
            use vitrine_kernel::layout::{ENTRY_SIZE, GENERATION, PAGE_TABLE, entry};
            bytes[GENERATION as usize..][..8].fill(0);
            for entry in bytes[PAGE_TABLE as usize..].chunks_exact_mut(ENTRY_SIZE as usize) {
                let generation = &mut entry[entry::GENERATION as usize..][..8];
                generation.copy_from_slice(&1u64.to_le_bytes());
                entry[entry::KIND as usize] = entry[0] & 1 | entry[2] & 2;
            }
        }
        let end = bytes.len();
        let mut kernel = borrowed(&mut bytes);
        for (function, offset, length) in calls {
            match function {
                0..=2 => drop(kernel.alloc(length)),
                3 | 4 => kernel.free(offset),
                5 => drop(kernel.length(offset)),
                6 => drop((kernel.load_u8(offset), kernel.load_u64(offset))),
                7 => kernel.store_u8(offset, 1),
                8 => kernel.store_u64(offset, length),
                9 => drop((kernel.input_load_u8(offset), kernel.input_load_u64(offset))),
                10 => kernel.input_set(offset, length),
                11 => kernel.output_set(offset, length),
                12 => kernel.error_set(offset),
                13 => drop(kernel.memory_bytes()),
                14 => kernel.reset(),
                _ => {
                    let block = kernel.block(offset).into_iter();
                    prop_assert!(block.chain(kernel.error()).all(|range| range.end <= end));
                    prop_assert!(kernel.output().end <= end && kernel.input().end <= end);
                }
            }
        }
    }
}
