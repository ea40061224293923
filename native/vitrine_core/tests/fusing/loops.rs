//! Loops that copy, of all the forms that are made one copy, and of forms that are nearly so.

use vitrine_core::{OnTrap, PluginOptions, Reason};

use crate::support::{Both, IMPORTS, words};

/// The guest's memory.
const PAGES: u64 = 3;
const SIZE: u64 = PAGES << 16;

/// The kernel's heap, once `seen` had it grow.
const HEAP: usize = 16 << 16;

/// The number of bytes that are copied at once.
const PIECE: u64 = 1024;

/// A turn's transfer, from `$p` in the kernel to `$g` in the guest or the other way round, and how
/// many bytes it moves.
const TRANSFERS: [(&str, u64, &str); 6] = [
    (
        "load_u8",
        1,
        "(i32.store8 offset=5 (local.get $g) (call $load_u8 (local.get $p)))",
    ),
    (
        "load_u64",
        8,
        "(i64.store align=1 (local.get $g) (call $load_u64 (local.get $p)))",
    ),
    (
        "input_u8",
        1,
        "(i32.store8 (local.get $g) (call $input_load_u8 (local.get $p)))",
    ),
    (
        "input_u64",
        8,
        "(i64.store offset=3 (local.get $g) (call $input_load_u64 (local.get $p)))",
    ),
    (
        "store_u8",
        1,
        "(call $store_u8 (local.get $p) (i32.load8_s (local.get $g)))",
    ),
    (
        "store_u64",
        8,
        "(call $store_u64 (local.get $p) (i64.load offset=9 (local.get $g)))",
    ),
];

/// The change that a turn makes to the counter, and whether there is another turn: `$a` and `$b` are `i64`, and
/// `$i` and `$j` the same as `i32`.
const CONDITIONS: [(&str, &str); 14] = [
    (
        "ne_up",
        "(local.set $a (i64.add (local.get $a) (i64.const 1))) (i64.ne (local.get $a) (local.get $b))",
    ),
    (
        "ne_up_8",
        "(i64.ne (local.get $b) (local.tee $a (i64.add (local.get $a) (i64.const 8))))",
    ),
    (
        "ne_down",
        "(i64.ne (local.tee $a (i64.sub (local.get $a) (i64.const 1))) (local.get $b))",
    ),
    (
        "ne_down_8",
        "(i64.ne (local.tee $a (i64.add (local.get $a) (i64.const -8))) (local.get $b))",
    ),
    (
        "ne_before",
        "(i64.ne (local.get $a) (local.get $b)) (local.set $a (i64.add (local.get $a) (i64.const 4)))",
    ),
    (
        "zero",
        "(local.tee $i (i32.add (local.get $i) (i32.const -1)))",
    ),
    (
        "lt",
        "(i64.lt_u (local.tee $a (i64.add (local.get $a) (i64.const 1))) (local.get $b))",
    ),
    (
        "lt_8",
        "(i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $j))",
    ),
    (
        "le_4",
        "(i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $j))",
    ),
    (
        "gt_8",
        "(i32.gt_u (local.tee $i (i32.sub (local.get $i) (i32.const 8))) (local.get $j))",
    ),
    (
        "gt_turned",
        "(i64.gt_u (local.get $b) (local.tee $a (i64.add (local.get $a) (i64.const 2))))",
    ),
    (
        "ge",
        "(i64.ge_u (local.tee $a (i64.add (local.get $a) (i64.const -1))) (local.get $b))",
    ),
    (
        "lt_constant",
        "(i64.lt_u (local.tee $a (i64.add (local.get $a) (i64.const 1))) (i64.const 5000))",
    ),
    (
        "signed",
        "(i64.lt_s (local.tee $a (i64.add (local.get $a) (i64.const 1))) (local.get $b))",
    ),
];

/// Other forms of loops, from `$turn` on: with the condition first, around a way out, in an `if`,
/// in two places, with a sign, over an index; and what a turn leaves in `$t`.
const FORMS: [(&str, &str); 6] = [
    (
        "out",
        "(block $out (loop $turn
           (br_if $out (i64.eq (local.get $a) (local.get $b)))
           TRANSFER MOVE (local.set $t (local.get $a))
           (local.set $a (i64.add (local.get $a) (i64.const 1)))
           (br $turn)))",
    ),
    (
        "around",
        "(block $out (loop $turn
           (block $on
             (br_if $on (i32.gt_u (i32.sub (local.get $i) (local.get $j)) (i32.const 7)))
             (global.set $i (i32.const 77))
             (br $out))
           (local.set $t (i64.extend_i32_u (i32.const 5)))
           TRANSFER MOVE
           (local.set $i (i32.sub (local.get $i) (i32.const 8)))
           (br $turn)))",
    ),
    (
        "if",
        "(loop $turn (if (i64.lt_s (local.get $a) (local.get $b))
           (then TRANSFER MOVE (local.set $t (i64.sub (local.get $a) (i64.const 3)))
             (local.set $a (i64.add (local.get $a) (i64.const 1))) (br $turn))
           (else (global.set $i (i32.const 78)))))",
    ),
    (
        "two",
        "(block $out (loop $turn
           (br_if $out (i64.ge_u (local.get $a) (local.get $b)))
           TRANSFER MOVE
           (local.set $a (i64.add (local.get $a) (i64.const 2)))
           (br_if $turn (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $j)))))",
    ),
    (
        "index",
        "(loop $turn INDEXED
           (local.set $x (i64.add (local.get $x) (i64.const WIDTH)))
           (local.set $t (local.get $x))
           (br_if $turn (i32.le_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $j))))",
    ),
    (
        "result",
        "(drop (loop $turn (result i32)
           TRANSFER MOVE
           (br_if $turn (i64.gt_s (local.tee $a (i64.sub (local.get $a) (i64.const 1))) (local.get $b)))
           (i32.const 1)))",
    ),
];

/// A loop of one of those forms.
fn form(form: &str, transfer: &str, width: u64) -> String {
    let indexed = transfer
        .replace("(local.get $p)", "(i64.add (local.get $p) (local.get $x))")
        .replace(
            "(local.get $g)",
            "(i32.add (i32.wrap_i64 (local.get $x)) (local.get $g))",
        );
    let moves = format!(
        "(local.set $g (i32.add (local.get $g) (i32.const {width})))
         (local.set $p (i64.add (local.get $p) (i64.const {width})))"
    );
    form.replace("TRANSFER", transfer)
        .replace("INDEXED", &indexed)
        .replace("MOVE", &moves)
        .replace("WIDTH", &width.to_string())
}

/// Whether other loops are of the same form, so that they share a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    Alone,
    Shared,
}

/// Exports a loop for each condition and each form. It takes a length to allocate, an offset in that block, an
/// address, and `$a` and `$b`; `seen` tells what it left.
fn guest((name, width, transfer): (&str, u64, &str), company: Company) -> Both {
    let base = if name.starts_with("input") {
        "(i64.const 0)"
    } else {
        "(local.get $block)"
    };
    let usual = CONDITIONS.map(|(name, condition)| {
        let turn = format!("(loop $turn TRANSFER MOVE {condition} br_if $turn)");
        (name, form(&turn, transfer, width))
    });
    let others = FORMS.map(|(name, text)| (name, form(text, transfer, width)));
    let loops: String = usual
        .into_iter()
        .chain(others)
        .map(|(name, text)| {
            let other = match company {
                Company::Alone => String::new(),
                Company::Shared => format!(
                    r#"(func
                      (local $p i64) (local $a i64) (local $b i64) (local $t i64) (local $x i64)
                      (local $i i32) (local $j i32) (local $g i32) {text})"#
                ),
            };
            format!(
                r#"{other} (func (export "{name}")
                  (local $block i64) (local $p i64) (local $g i32)
                  (local $a i64) (local $b i64) (local $i i32) (local $j i32)
                  (local $t i64) (local $x i64)
                  (call $fill)
                  (local.set $block (call $alloc (call $input_load_u64 (i64.const 0))))
                  ;; The page behind it has a header, to which nothing may be stored.
                  (drop (call $alloc (i64.const 8)))
                  (local.set $p (i64.add {base} (call $input_load_u64 (i64.const 8))))
                  (local.set $g (i32.wrap_i64 (call $input_load_u64 (i64.const 16))))
                  (local.set $a (call $input_load_u64 (i64.const 24)))
                  (local.set $b (call $input_load_u64 (i64.const 32)))
                  (local.set $i (i32.wrap_i64 (local.get $a)))
                  (local.set $j (i32.wrap_i64 (local.get $b)))
                  {text}
                  (global.set $p (local.get $p))
                  (global.set $g (local.get $g))
                  (global.set $a (local.get $a))
                  (global.set $i (i32.add (global.get $i) (local.get $i)))
                  (global.set $t (i64.add (local.get $t) (local.get $x))))"#
            )
        })
        .collect();
    // Each address is filled with a value of its own, which tells copied bytes from those that were there.
    let text = format!(
        r#"(module {IMPORTS}
          (memory (export "memory") {PAGES})
          (global $p (mut i64) (i64.const 0)) (global $g (mut i32) (i32.const 0))
          (global $a (mut i64) (i64.const 0)) (global $i (mut i32) (i32.const 0))
          (global $t (mut i64) (i64.const 0))
          (func $fill (local $at i32)
            (loop $next
              (i64.store (local.get $at)
                (i64.mul (i64.extend_i32_u (local.get $at)) (i64.const 0x9E3779B97F4A7C15)))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $next (i32.lt_u (local.get $at) (i32.const {SIZE})))))
          {loops}
          (func (export "seen") (local $block i64) (local $at i32)
            (local.set $block (call $alloc (i64.const 1000000)))
            ;; Behind what the loops store to, and what they allocate.
            (local.set $block (i64.add (local.get $block) (i64.const 500000)))
            (loop $next
              (call $store_u64 (i64.add (local.get $block) (i64.extend_i32_u (local.get $at)))
                (i64.load (local.get $at)))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $next (i32.ne (local.get $at) (i32.const {SIZE}))))
            (local.set $block (i64.add (local.get $block) (i64.const {SIZE})))
            (call $store_u64 (local.get $block) (global.get $p))
            (call $store_u64 (i64.add (local.get $block) (i64.const 8))
              (i64.extend_i32_u (global.get $g)))
            (call $store_u64 (i64.add (local.get $block) (i64.const 16)) (global.get $a))
            (call $store_u64 (i64.add (local.get $block) (i64.const 24))
              (i64.extend_i32_u (global.get $i)))
            (call $store_u64 (i64.add (local.get $block) (i64.const 32)) (global.get $t))
            (call $output_set (i64.const 0x210000) (call $memory_bytes))))"#
    );
    let options = PluginOptions {
        on_trap: OnTrap::Keep,
        ..PluginOptions::default()
    };
    Both::link(&[("main", &text)], &[], &options).unwrap()
}

/// Calls a loop, then looks at both memories and the locals. Says whether it returned.
fn check(guest: &Both, function: &str, numbers: [u64; 5], input: usize) -> bool {
    let mut bytes = words(&numbers);
    bytes.extend((0..input).map(|i| (i * 7 + 1) as u8));
    let result = guest.call(function, &bytes);
    if let Err(failure) = &result {
        assert_eq!(
            failure.reason,
            Reason::Trap,
            "{function} {numbers:?}: {failure:?}"
        );
    }
    assert_eq!(guest.call("seen", &[]).unwrap().len(), HEAP);
    result.is_ok()
}

/// The counter and the bound for that many turns of a loop, and more where it never ends by itself.
fn counts(condition: &str, turns: u64) -> (u64, u64) {
    match condition {
        "ne_up" | "lt" | "signed" | "out" | "if" | "index" => (100, 100 + turns),
        "ne_up_8" | "lt_8" => (16, 16 + 8 * turns),
        "ne_down" => (turns, 0),
        "ne_down_8" | "gt_8" => (8 * turns + 40, 40),
        "ne_before" | "le_4" => (4, 4 * turns),
        "around" => (8 * turns + 47, 40),
        "two" => (0, 2 * turns),
        "result" => (turns, 0),
        "gt_turned" => (0, 2 * turns),
        "zero" => (turns, 0),
        "ge" => (turns + 2, 3),
        _ => (5000 - turns.min(5000), 0),
    }
}

fn all_turns(index: usize, company: Company) {
    let guest = guest(TRANSFERS[index], company);
    let width = TRANSFERS[index].1;
    let piece = PIECE / width;
    let mut returned = 0;
    for (condition, _) in CONDITIONS.into_iter().chain(FORMS) {
        for turns in [
            1,
            2,
            piece - 1,
            piece,
            piece + 1,
            piece + 2,
            3 * piece,
            12_000 / width,
            // Beyond what is copied at once.
            70_000 / width,
        ] {
            let (a, b) = counts(condition, turns);
            returned += u32::from(check(&guest, condition, [200_000, 16, 64, a, b], 100_000));
        }
    }
    assert_eq!(returned, (14 + 6) * 9);
}

/// Checks that the copy stops, or the loop traps, at the ends of the guest's memory, of the block's
/// pages, of the kernel's memory and of the input, also from odd places.
fn all_bounds(index: usize, company: Company) {
    let guest = guest(TRANSFERS[index], company);
    let (name, width, _) = TRANSFERS[index];
    let input = 3000;
    let ends: &[u64] = match name {
        "input_u8" | "input_u64" => &[40 + input as u64, u64::MAX, 1 << 32, 0],
        // Of what is before the heap (the block begins with its second page), of a page, of the block, of its
        // pages, before a header, of the memory, and of all addresses.
        _ => &[
            u64::MAX - 65_535,
            65_536,
            200_000,
            262_144,
            HEAP as u64,
            (1 << 32) - 0x21_0000,
            u64::MAX,
        ],
    };
    let (mut returned, mut trapped) = (0, 0);
    for (condition, turns) in [
        ("ne_up", 2000),
        ("gt_8", 1700),
        ("zero", 4000),
        ("around", 1500),
        ("index", 900),
    ] {
        let (a, b) = counts(condition, turns);
        for &end in ends {
            for before in [
                0,
                1,
                7,
                8,
                9,
                100 * width,
                PIECE - width,
                PIECE - 1,
                PIECE,
                PIECE + 1,
            ] {
                let offset = end.wrapping_sub(before);
                let addresses = (SIZE - PIECE - 16..SIZE - PIECE + 16).step_by(3);
                let others = [0, 3, SIZE - 8, SIZE, u64::from(u32::MAX) - 7];
                // Either end in its own loop: all pairs would take long.
                let addresses = addresses.filter(|_| before == PIECE).chain(others);
                for address in addresses {
                    match check(&guest, condition, [200_000, offset, address, a, b], input) {
                        true => returned += 1,
                        false => trapped += 1,
                    }
                }
            }
        }
    }
    assert!(returned > 50 && trapped > 50, "{returned} {trapped}");
}

/// Counters that jump over their bound, wrap, or have passed it already.
#[test]
fn loops_whose_counters_skip_or_wrap_past_their_bound_run_the_same() {
    for transfer in [TRANSFERS[1], TRANSFERS[5]] {
        let guest = guest(transfer, Company::Alone);
        for (condition, _) in CONDITIONS.into_iter().chain(FORMS) {
            for (a, b) in [
                (5, 1000),
                (1000, 5),
                (7, 7),
                (0, 0),
                (3, 0),
                (u64::MAX, 40),
                (u64::MAX - 300, 5),
                (u64::MAX - 300, u64::MAX),
                (u64::MAX - 300, u64::MAX - 1),
                (u64::from(u32::MAX) - 300, u64::from(u32::MAX)),
                (u64::from(u32::MAX) - 300, 9),
                (1 << 31, 1 << 33),
                (300, 1 << 63),
            ] {
                check(&guest, condition, [200_000, 0, 1024, a, b], 0);
            }
        }
    }
}

macro_rules! each_transfer {
    ($($index:literal $name:ident;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn all_turns_alone() {
                all_turns($index, Company::Alone);
            }

            #[test]
            fn all_turns_shared() {
                all_turns($index, Company::Shared);
            }

            #[test]
            fn bounds_alone() {
                all_bounds($index, Company::Alone);
            }

            #[test]
            fn bounds_shared() {
                all_bounds($index, Company::Shared);
            }
        }
    )*};
}

each_transfer! {
    0 bytes_loaded;
    1 words_loaded;
    2 bytes_of_the_input;
    3 words_of_the_input;
    4 bytes_stored;
    5 words_stored;
}

#[test]
fn fused_loops_use_fuel_for_every_turn() {
    let text = format!(
        r#"(module {IMPORTS} (memory 2)
          (func (export "run") (local $p i64) (local $g i32)
            (local.set $p (call $alloc (i64.const 80000)))
            (loop $turn
              (i64.store (local.get $g) (call $load_u64 (local.get $p)))
              (local.set $g (i32.add (local.get $g) (i32.const 8)))
              (local.set $p (i64.add (local.get $p) (i64.const 8)))
              (br_if $turn (i32.ne (local.get $g) (i32.const 80000))))))"#
    );
    let guest = Both::with_fuel(&text, 10_000_000);
    guest.call("run", &[]).unwrap();
    let [unfused, fused] = guest.fuel_used();
    assert!(fused >= 10_000 && fused < unfused, "{fused} {unfused}");
    // They run out of it at different places, perhaps within the accessor.
    let guest = Both::with_fuel(&text, 10_000);
    for result in guest.each("run", &[]) {
        assert_eq!(result.unwrap_err().reason, Reason::Fuel);
    }
}
