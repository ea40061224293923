//! Random programs of bulk instructions: the original and the rewritten must agree.

use proptest::prelude::*;
use wasmtime::Val;

use crate::support::{Runs, binary};

/// How an instruction gets its length.
#[derive(Debug, Clone, Copy)]
enum Length {
    /// A constant before it.
    Constant,
    /// A local.
    Local,
    /// A constant, in a loop of two turns.
    Twice,
}

#[derive(Debug, Clone)]
struct Step {
    instruction: usize,
    offsets: [u32; 2],
    length: u32,
    how: Length,
}

/// The instructions, what comes first, and the other operands: a type, `f` for a function, or an
/// array and an offset.
const INSTRUCTIONS: [(&str, &str, [&str; 3]); 20] = [
    ("memory.fill $m", "", ["i32", "i32", "i32"]),
    ("memory.fill $n", "", ["i64", "i32", "i64"]),
    ("memory.copy $m $m", "", ["i32", "i32", "i32"]),
    ("memory.copy $n $n", "", ["i64", "i64", "i64"]),
    ("memory.copy $m $n", "", ["i32", "i64", "i32"]),
    ("memory.copy $n $m", "", ["i64", "i32", "i32"]),
    ("memory.init $m $d", "", ["i32", "i32", "i32"]),
    ("memory.init $n $d", "", ["i64", "i32", "i32"]),
    ("table.fill $t", "", ["i32", "f", "i32"]),
    ("table.copy $t $t", "", ["i32", "i32", "i32"]),
    ("table.copy $t $u", "", ["i32", "i64", "i32"]),
    ("table.copy $u $t", "", ["i64", "i32", "i32"]),
    ("table.init $t $e", "", ["i32", "i32", "i32"]),
    ("table.init $u $e", "", ["i64", "i32", "i32"]),
    ("array.fill $a", "(global.get $a)", ["i32", "i64", "i32"]),
    ("array.fill $b", "(global.get $b)", ["i32", "i32", "i32"]),
    ("array.copy $a $a", "(global.get $a)", ["i32", "a", "i32"]),
    ("array.copy $b $b", "(global.get $b)", ["i32", "b", "i32"]),
    (
        "array.init_data $b $d",
        "(global.get $b)",
        ["i32", "i32", "i32"],
    ),
    (
        "array.init_elem $f $e",
        "(global.get $f)",
        ["i32", "i32", "i32"],
    ),
];

fn operand(ty: &str, value: u32) -> String {
    match ty {
        "f" => format!("(ref.func $f{})", value % 10),
        "a" | "b" => format!("(global.get ${ty}) (i32.const {value})"),
        _ => format!("({ty}.const {value})"),
    }
}

fn text(step: &Step) -> String {
    let (name, array, [first, second, length]) = INSTRUCTIONS[step.instruction];
    let [d, s] = step.offsets;
    let before = format!("{array} {} {}", operand(first, d), operand(second, s));
    let n = operand(length, step.length);
    match step.how {
        Length::Constant => format!("{before} {n} {name}"),
        Length::Local => {
            format!("(local.set $n_{length} {n}) {before} (local.get $n_{length}) {name}")
        }
        Length::Twice => format!(
            "(local.set $turns (i32.const 2))
             (loop $again {before} {n} {name}
               (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))"
        ),
    }
}

fn program(steps: &[Step]) -> String {
    let functions: String = (0..40)
        .map(|n| format!("(func $f{n} (result i32) (i32.const {n}))"))
        .collect();
    let items: String = (0..40).map(|n| format!(" $f{n}")).collect();
    let code: Vec<_> = steps.iter().map(text).collect();
    format!(
        r#"(module
             (type $a (array (mut i64))) (type $b (array (mut i16))) (type $f (array (mut funcref)))
             {functions} (elem $e func {items}) (data $d "the quick brown fox jumps over the lazy dog")
             (memory $m (export "m") 1) (memory $n (export "n") i64 1)
             (table $t (export "t") 40 funcref) (table $u (export "u") i64 44 funcref)
             (global $a (mut (ref null $a)) (ref.null $a))
             (global $b (mut (ref null $b)) (ref.null $b))
             (global $f (mut (ref null $f)) (ref.null $f))
             (func (export "ata") (param i32) (result i64) (array.get $a (global.get $a) (local.get 0)))
             (func (export "atb") (param i32) (result i32) (array.get_u $b (global.get $b) (local.get 0)))
             (func (export "atf") (param i32) (result i32)
               (ref.is_null (array.get $f (global.get $f) (local.get 0))))
             (func (export "run") (param i32) (result i32)
               (local $n_i32 i32) (local $n_i64 i64) (local $turns i32)
               (global.set $a (array.new_default $a (i32.const 41)))
               (global.set $b (array.new_default $b (i32.const 42)))
               (global.set $f (array.new_default $f (i32.const 43)))
               {}
               (i32.const 42)))"#,
        code.join("\n")
    )
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        20 => 0_u32..16,
        10 => 0_u32..48,
        1 => 0_u32..70_000,
        1 => (0_u32..8).prop_map(|n| 65_536 - n),
        1 => (0_u32..8).prop_map(|n| u32::MAX - n),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        Just(Length::Constant),
        Just(Length::Local),
        Just(Length::Twice)
    ];
    (0..INSTRUCTIONS.len(), [number(), number()], number(), how).prop_map(
        |(instruction, offsets, length, how)| Step {
            instruction,
            offsets,
            length,
            how,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn programs_of_bulk_instructions(steps in proptest::collection::vec(step(), 1..16)) {
        // So that there is something to rewrite, whatever the steps are.
        let mut steps = steps;
        steps.push(Step { instruction: 0, offsets: [70, 5], length: 5000, how: Length::Constant });
        let _ = Runs::new(&binary(&program(&steps))).call("run", &[Val::I32(0)]);
    }
}
