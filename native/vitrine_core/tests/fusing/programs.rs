//! Random programs of accessors and copy loops, inside and outside of blocks.

use proptest::prelude::*;

use crate::support::{Both, IMPORTS};

#[derive(Debug, Clone)]
struct Step {
    accessor: usize,
    /// The block that offsets are from, and how far.
    block: usize,
    offset: i64,
    address: u32,
    value: i64,
    /// A loop of so many turns, or a single access.
    turns: Option<u32>,
    form: usize,
}

/// One access, from or to the guest's memory at `$g`.
const ACCESSES: [(u32, &str); 8] = [
    (
        1,
        "(i32.store8 (local.get $g) (call $load_u8 (local.get $p)))",
    ),
    (
        8,
        "(i64.store (local.get $g) (call $load_u64 (local.get $p)))",
    ),
    (
        1,
        "(i32.store8 (local.get $g) (call $input_load_u8 (local.get $q)))",
    ),
    (
        8,
        "(i64.store (local.get $g) (call $input_load_u64 (local.get $q)))",
    ),
    (
        1,
        "(call $store_u8 (local.get $p) (i32.load8_u (local.get $g)))",
    ),
    (
        8,
        "(call $store_u64 (local.get $p) (i64.load (local.get $g)))",
    ),
    (8, "(call $store_u64 (local.get $p) (local.get $v))"),
    (8, "(i64.store (local.get $g) (call $input_length))"),
];

/// Loops of `$n` turns.
const FORMS: [&str; 4] = [
    "(loop $turn TURN (br_if $turn (local.get $n)))",
    "(block $out (loop $turn (br_if $out (i32.eqz (local.get $n))) TURN (br $turn)))",
    "(loop $turn (if (i32.gt_s (local.get $n) (i32.const 0)) (then TURN (br $turn))))",
    "(block $out (loop $turn
       (block $on (br_if $on (local.get $n)) (local.set $v (i64.const 9)) (br $out)) TURN (br $turn)))",
];

fn text(step: &Step) -> String {
    let (width, access) = ACCESSES[step.accessor];
    let Step {
        block,
        offset,
        address,
        value,
        ..
    } = step;
    let set = format!(
        "(local.set $p (i64.add (local.get $block{block}) (i64.const {offset})))
         (local.set $q (i64.const {offset})) (local.set $g (i32.const {address}))
         (local.set $v (i64.const {value}))"
    );
    match step.turns {
        None => format!("{set} {access}"),
        Some(turns) => {
            let turn = format!(
                "{access}
                 (local.set $p (i64.add (local.get $p) (i64.const {width})))
                 (local.set $q (i64.add (local.get $q) (i64.const {width})))
                 (local.set $g (i32.add (local.get $g) (i32.const {width})))
                 (local.set $n (i32.sub (local.get $n) (i32.const 1)))"
            );
            format!(
                "{set} (local.set $n (i32.const {turns})) {}",
                FORMS[step.form]
            )
            .replace("TURN", &turn)
        }
    }
}

fn program(sizes: &[u64; 3], steps: &[Step]) -> String {
    let steps: String = steps.iter().map(text).collect();
    let [a, b, c] = sizes;
    format!(
        r#"(module {IMPORTS} (memory 2)
          (func (export "run")
            (local $block0 i64) (local $block1 i64) (local $block2 i64)
            (local $p i64) (local $q i64) (local $v i64) (local $g i32) (local $n i32)
            (local.set $block0 (call $alloc (i64.const {a})))
            (local.set $block1 (call $alloc (i64.const {b})))
            (local.set $block2 (call $alloc (i64.const {c})))
            {steps}
            ;; All that the guest has, and all of the kernel's heap.
            (local.set $p (call $alloc (i64.const 131072))) (local.set $g (i32.const 0))
            (loop $turn
              (call $store_u64 (local.get $p) (i64.load (local.get $g)))
              (local.set $p (i64.add (local.get $p) (i64.const 8)))
              (local.set $g (i32.add (local.get $g) (i32.const 8)))
              (br_if $turn (i32.ne (local.get $g) (i32.const 131072))))
            (call $output_set (i64.const 0x210000) (call $memory_bytes))))"#
    )
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..200, 1_000_u64..70_000, 100_000_u64..400_000]
}

fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![
        5 => 0_i64..4_000,
        2 => (0_i64..600).prop_map(|n| 65_300 + n),
        2 => -40_000_i64..400_000,
        1 => any::<i64>(),
    ]
}

fn address() -> impl Strategy<Value = u32> {
    prop_oneof![9 => 0_u32..100_000, 1 => 131_000_u32..131_080]
}

fn step() -> impl Strategy<Value = Step> {
    let turns = proptest::option::of(prop_oneof![1_u32..60, 60_u32..3_000]);
    let place = (0..3_usize, offset(), address());
    let what = (0..ACCESSES.len(), 0..FORMS.len());
    (what, place, any::<i64>(), turns).prop_map(
        |((accessor, form), (block, offset, address), value, turns)| Step {
            accessor,
            block,
            offset,
            address,
            value,
            turns,
            form,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn random_programs_of_accessors_run_the_same_fused(
        sizes in [size(), size(), size()],
        steps in proptest::collection::vec(step(), 1..24),
        input in proptest::collection::vec(any::<u8>(), 0..9_000),
    ) {
        let both = Both::new(&program(&sizes, &steps));
        for _ in 0..2 {
            let _ = both.call("run", &input);
        }
    }
}
