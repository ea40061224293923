//! Tests of the form of fused modules. `vitrine_core` tests on the real engine that fused modules still do the same.

use wasmparser::{KnownCustom, Name, Operator, Parser, Payload, TypeRef, Validator, WasmFeatures};

use super::{MEMORY, NAMESPACE, fuse};

/// The fused module, which must be valid.
fn fused(wasm: &[u8], copy_loops: bool) -> Option<Vec<u8>> {
    let fused = fuse(wasm, copy_loops).unwrap()?;
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(&fused).unwrap();
    Some(fused)
}

fn guest(name: &str) -> Vec<u8> {
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/guests/wasm");
    std::fs::read(format!("{guests}/{name}.wasm")).unwrap()
}

/// The number of functions that have a body.
fn bodies(wasm: &[u8]) -> usize {
    let payloads = Parser::new(0).parse_all(wasm);
    payloads
        .filter(|payload| matches!(payload, Ok(Payload::CodeSectionEntry(_))))
        .count()
}

/// The number of copy loops in a module: how often it copies from one memory to another, or calls an added function
/// that does.
fn copy_loops(wasm: &[u8]) -> usize {
    let fused = fused(wasm, true);
    let (mut imported, mut code) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(fused.as_deref().unwrap_or(wasm)) {
        match payload.unwrap() {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().map(Result::unwrap);
                imported = imports
                    .filter(|import| matches!(import.ty, TypeRef::Func(_)))
                    .count();
            }
            Payload::CodeSectionEntry(body) => {
                let operators = body.get_operators_reader().unwrap().into_iter();
                code.push(operators.map(Result::unwrap).collect::<Vec<_>>());
            }
            _ => (),
        }
    }
    let across = |operator: &Operator| matches!(operator, Operator::MemoryCopy { dst_mem, src_mem } if dst_mem != src_mem);
    let own = bodies(wasm);
    let (code, added) = code.split_at(own);
    let is_copy = |operator: &&Operator| match operator {
        Operator::Call { function_index } => {
            let body = (*function_index as usize).checked_sub(imported + own);
            body.is_some_and(|body| added[body].iter().any(across))
        }
        operator => across(operator),
    };
    code.iter().flatten().filter(is_copy).count()
}

const IMPORTS: &str = r#"
  (import "extism:host/env" "load_u64" (func $load (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))"#;

/// The number of copy loops in a module with this loop.
fn copy_loops_of(turn: &str) -> usize {
    let text = format!(
        r#"(module {IMPORTS} (memory 1) (memory $wide i64 1)
          (global (mut i32) (i32.const 0))
          (func (param $p i64) (param $g i32) (param $n i32) (param $x i64)
            (loop $turn {turn})))"#
    );
    copy_loops(&wat::parse_str(text).unwrap())
}

const COPY: &str = "(i64.store (local.get $g) (call $load (local.get $p)))";
const MOVE: &str = "(local.set $g (i32.add (local.get $g) (i32.const 8)))
  (local.set $p (i64.add (local.get $p) (i64.const 8)))";
const AGAIN: &str = "(br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1))))";

#[test]
fn the_copy_loops_of_compilers_are_recognised() {
    for (name, loops) in [
        ("rust_minimal", 2),
        ("rust", 3),
        ("javascript", 3),
        // In C every function has copy loops.
        ("c", 11),
        ("cpp", 33),
        ("d", 2),
        // Only the bytes that are left are copied in such a loop. Words go through a buffer.
        ("zig", 2),
        // Bytes go through functions that check their arguments, or that suspend.
        ("assemblyscript", 0),
        ("go", 0),
    ] {
        assert_eq!(copy_loops(&guest(name)), loops, "{name}");
    }
}

#[test]
fn a_loop_that_does_anything_else_is_not_a_copy_loop() {
    assert_eq!(copy_loops_of(&format!("{COPY} {MOVE} {AGAIN}")), 1);
    for turn in [
        format!("{COPY} {MOVE} (drop (memory.grow (i32.const 0))) {AGAIN}"),
        format!("{COPY} {MOVE} {COPY} {AGAIN}"),
        format!("{COPY} {MOVE} (call $store (local.get $x) (local.get $x)) {AGAIN}"),
        format!("{COPY} {MOVE} (local.set $x (i64.load (local.get $g))) {AGAIN}"),
        // The stored value is not the loaded one.
        format!("(local.set $x (call $load (local.get $p))) {MOVE} {AGAIN}"),
        format!(
            "(drop (call $load (local.get $p))) (i64.store (local.get $g) (local.get $x)) {MOVE} {AGAIN}"
        ),
        "(local.set $x (call $load (local.get $p)))".to_owned()
            + "(local.set $x (i64.load (local.get $g)))"
            + MOVE
            + AGAIN,
        format!(
            "(i64.store (local.get $g) (local.get $x)) (local.set $x (call $load (local.get $p))) {MOVE} {AGAIN}"
        ),
        // The store is narrower than the load, or into another kind of memory.
        format!("(i64.store8 (local.get $g) (call $load (local.get $p))) {MOVE} {AGAIN}"),
        format!(
            "(i64.store $wide (i64.extend_i32_u (local.get $g)) (call $load (local.get $p))) {MOVE} {AGAIN}"
        ),
        // An offset does not move by as much as is copied.
        format!("{COPY} (local.set $g (i32.add (local.get $g) (i32.const 8))) {AGAIN}"),
        format!("{COPY} (local.set $p (i64.add (local.get $p) (i64.const 8))) {AGAIN}"),
        format!("{COPY} {MOVE} (local.set $p (i64.add (local.get $p) (i64.const 8))) {AGAIN}"),
        // The end of a counter cannot be foreseen.
        format!(
            "{COPY} {MOVE} (local.set $n (i32.sub (local.get $n) (i32.const 3))) (br_if $turn (local.get $n))"
        ),
        format!("{COPY} {MOVE} (br_if $turn (i64.gt_s (local.get $p) (local.get $x)))"),
        format!("{COPY} {MOVE} (br_if $turn (i64.gt_u (local.get $p) (local.get $x)))"),
        format!("{COPY} {MOVE} (br_if $turn (local.get $n))"),
        format!(
            "{COPY} {MOVE} (local.set $x (local.get $p)) (br_if $turn (i64.ne (local.get $p) (local.get $x)))"
        ),
        // There is another effect on the path, or none of the paths belongs to the loop alone.
        format!(
            "{COPY} {MOVE} (block (br_if 0 (i32.wrap_i64 (local.get $x))) (global.set 0 (i32.const 1))) {AGAIN}"
        ),
        format!("{COPY} {MOVE} (br $turn)"),
        format!("{COPY} {MOVE} (block (br_if 1 (local.get $n))) (br $turn)"),
        format!("(if (i32.wrap_i64 (local.get $x)) (then {COPY})) {MOVE} {AGAIN}"),
        // There are few iterations.
        format!("{COPY} {MOVE} (br_if $turn (i32.ne (local.get $g) (i32.const 32)))"),
    ] {
        assert_eq!(copy_loops_of(&turn), 0, "{turn}");
    }
}

#[test]
fn other_paths_through_and_out_of_a_copy_loop_do_not_matter() {
    let less = "(local.set $n (i32.sub (local.get $n) (i32.const 8)))";
    let enough = "(i32.gt_u (local.get $n) (i32.const 7))";
    for turn in [
        format!("{COPY} {MOVE} {AGAIN} (nop) (memory.copy (i32.const 1) (i32.const 2) (i32.const 3))"),
        format!("(if {enough} (then {COPY} {MOVE} {less} (br $turn)))"),
        format!("(if {enough} (then {COPY} {MOVE} {less}) (else (return))) (br $turn)"),
        format!("(block (br_if 0 {enough}) (drop (memory.grow (i32.const 1))) (return)) {COPY} {MOVE} {less} (br $turn)"),
        format!("(br_if 1 (i32.eqz {enough})) {COPY} {MOVE} {less} (br $turn)"),
        format!("(br_if 1 (i32.lt_s (local.get $n) (i32.const 8))) {COPY} {MOVE} {less} (br $turn)"),
        format!("{COPY} {MOVE} {less} (br_if 1 (i32.eqz {enough})) (br_if 1 (i64.eq (local.get $p) (local.get $x))) (br $turn)"),
        "(i64.store (i32.add (local.get $g) (i32.wrap_i64 (local.get $x))) (call $load (i64.add (local.get $p) (local.get $x))))
         (local.set $x (i64.add (local.get $x) (i64.const 8)))
         (br_if $turn (i64.lt_u (local.get $x) (i64.sub (local.get $p) (i64.const 100))))".to_owned(),
    ] {
        assert_eq!(copy_loops_of(&turn), 1, "{turn}");
    }
}

#[test]
fn loops_of_one_form_share_a_function_and_a_single_loop_has_none() {
    let turn = |p: &str, g: &str| {
        format!("(loop $turn {COPY} {MOVE} {AGAIN})")
            .replace("$p", p)
            .replace("$g", g)
    };
    let function = |p: &str, g: &str| {
        format!(
            "(func (param $n i32) (param {g} i32) (param {p} i64) {})",
            turn(p, g)
        )
    };
    let [one, two] = ["", &function("$q", "$h")].map(|other| {
        let text = format!(
            "(module {IMPORTS} (memory 1) {} {other})",
            function("$p", "$g")
        );
        wat::parse_str(text).unwrap()
    });
    assert_eq!([copy_loops(&one), copy_loops(&two)], [1, 2]);
    let added = |wasm: &[u8]| bodies(&fused(wasm, true).unwrap()) - bodies(wasm);
    assert_eq!([added(&one), added(&two)], [0, 1]);
}

#[test]
fn an_accessor_that_is_called_from_many_places_becomes_a_function() {
    for (places, functions) in [(2, 1), (3, 2)] {
        let text = format!(
            "(module {IMPORTS} (func $caller {}))",
            "(drop (call $load (i64.const 1)))".repeat(places)
        );
        let wasm = fused(&wat::parse_str(text).unwrap(), true).unwrap();
        let names = function_names(&wasm);
        assert_eq!(names.len(), 2 + functions);
        assert_eq!(
            names.get(3).map(String::as_str),
            (functions > 1).then_some("vitrine.load_u64")
        );
    }
}

#[test]
fn a_local_that_is_only_used_within_an_iteration_does_not_matter() {
    let through =
        "(local.set $x (call $load (local.get $p))) (i64.store (local.get $g) (local.get $x))";
    assert_eq!(copy_loops_of(&format!("{through} {MOVE} {AGAIN}")), 1);
}

#[test]
fn each_direct_call_of_an_accessor_that_is_left_follows_a_check() {
    let text = format!(
        "(module {IMPORTS} (func (param i64) (call $store (local.get 0) (call $load (local.get 0)))))"
    );
    let wasm = fused(&wat::parse_str(text).unwrap(), true).unwrap();
    let (mut calls, mut accesses) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(&wasm) {
        let Payload::CodeSectionEntry(body) = payload.unwrap() else {
            continue;
        };
        let mut depth = 0;
        for operator in body.get_operators_reader().unwrap() {
            match operator.unwrap() {
                Operator::If { .. } => depth += 1,
                Operator::End => depth -= 1,
                Operator::Call { function_index } => calls.push((function_index, depth)),
                Operator::I64Load { memarg } if memarg.offset == 0 => accesses += 1,
                Operator::I64Store { .. } => accesses += 1,
                _ => (),
            }
        }
    }
    assert_eq!(calls, [(0, 1), (1, 1)]);
    assert_eq!(accesses, 2);
}

#[test]
fn the_kernels_memory_is_the_last_import_and_other_memories_shift() {
    let text = r#"(module
      (import "a" "m" (memory 2)) (import "extism:host/env" "input_length" (func $length (result i64)))
      (import "a" "g" (global i32))
      (memory $own 3) (data (memory $own) (i32.const 0) "x") (export "own" (memory $own))
      (func (result i64) (drop (i32.load $own offset=7 (i32.const 0))) (call $length)))"#;
    let wasm = fused(&wat::parse_str(text).unwrap(), true).unwrap();
    for payload in Parser::new(0).parse_all(&wasm) {
        match payload.unwrap() {
            Payload::ImportSection(section) => {
                let last = section.into_imports().last().unwrap().unwrap();
                assert_eq!((last.module, last.name), (NAMESPACE, MEMORY));
                assert!(matches!(last.ty, TypeRef::Memory(_)));
            }
            Payload::ExportSection(section) => {
                assert_eq!(section.into_iter().next().unwrap().unwrap().index, 2);
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().unwrap() {
                    if let Operator::I32Load { memarg } = operator.unwrap() {
                        assert_eq!((memarg.memory, memarg.offset), (2, 7));
                    }
                }
            }
            _ => (),
        }
    }
}

#[test]
fn every_instruction_that_names_a_memory_names_the_same_one() {
    let (mut code, mut count) = (String::new(), 0);
    let mut add = |instruction: &str| {
        code += instruction;
        count += instruction.matches("$own").count();
    };
    for (ty, loads) in [
        (
            "i32",
            "load load8_s load8_u load16_s load16_u atomic.load atomic.load8_u",
        ),
        (
            "i64",
            "load load8_s load8_u load16_s load16_u load32_s load32_u atomic.load atomic.load32_u",
        ),
        ("f32", "load"),
        ("f64", "load"),
        (
            "v128",
            "load load8x8_s load8x8_u load16x4_s load32x2_u load8_splat load64_splat load32_zero load64_zero",
        ),
    ] {
        for load in loads.split(' ') {
            add(&format!("(drop ({ty}.{load} $own (i32.const 0)))"));
        }
    }
    for (value, stores) in [
        (
            "(i32.const 1)",
            "i32.store i32.store8 i32.store16 i32.atomic.store i32.atomic.store8",
        ),
        (
            "(i64.const 1)",
            "i64.store i64.store8 i64.store16 i64.store32 i64.atomic.store",
        ),
        ("(f32.const 1)", "f32.store"),
        ("(f64.const 1)", "f64.store"),
        ("(v128.const i64x2 1 1)", "v128.store"),
    ] {
        for store in stores.split(' ') {
            add(&format!("({store} $own (i32.const 0) {value})"));
        }
    }
    add("(drop (memory.size $own)) (drop (memory.grow $own (i32.const 0)))");
    add("(memory.fill $own (i32.const 0) (i32.const 0) (i32.const 0))");
    add("(memory.copy $own $own (i32.const 0) (i32.const 0) (i32.const 0))");
    add("(memory.init $own $data (i32.const 0) (i32.const 0) (i32.const 0))");
    add("(drop (i32.atomic.rmw.add $own (i32.const 0) (i32.const 0)))");
    add("(drop (memory.atomic.notify $own (i32.const 0) (i32.const 0)))");
    add("(drop (v128.load8_lane $own 3 (i32.const 0) (v128.const i64x2 1 1)))");
    add("(v128.store64_lane $own 1 (i32.const 0) (v128.const i64x2 1 1))");
    let text = format!(
        r#"(module {IMPORTS} (memory $own 1) (data $data "x")
          (func {code}) (func (drop (call $load (i64.const 1))) {code}))"#
    );
    let wasm = fused(&wat::parse_str(text).unwrap(), true).unwrap();
    let (mut own, mut kernel) = (0, 0);
    for payload in Parser::new(0).parse_all(&wasm) {
        let Payload::CodeSectionEntry(body) = payload.unwrap() else {
            continue;
        };
        for operator in body.get_operators_reader().unwrap() {
            let text = format!("{:?}", operator.unwrap());
            own += text.matches("mem: 1").count() + text.matches("memory: 1").count();
            kernel += text.matches("mem: 0").count() + text.matches("memory: 0").count();
        }
    }
    // Only the comparison and the load of the one call use the kernel's memory.
    assert_eq!((own, kernel), (2 * count, 2));
}

#[test]
fn functions_keep_their_names_and_sections_about_places_in_the_code_are_dropped() {
    let text = format!(
        r#"(module {IMPORTS} (memory $named 1)
          (func $caller (drop (call $load (i64.const 1))))
          (@custom ".debug_line" "places") (@custom "kept" "as it is"))"#
    );
    let wasm = fused(&wat::parse_str(text).unwrap(), true).unwrap();
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::CustomSection(section) = payload.unwrap() {
            sections.push(section.name().to_owned());
        }
    }
    sections.sort();
    assert_eq!(sections, ["kept", "name"]);
    assert_eq!(function_names(&wasm), ["load", "store", "caller"]);
}

fn function_names(wasm: &[u8]) -> Vec<String> {
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload.unwrap() else {
            continue;
        };
        if let KnownCustom::Name(section) = section.as_known() {
            for names in section {
                match names.unwrap() {
                    Name::Function(names) => {
                        functions
                            .extend(names.into_iter().map(|name| name.unwrap().name.to_owned()));
                    }
                    Name::Memory(_) => panic!("memories have other indices now"),
                    _ => (),
                }
            }
        }
    }
    functions
}

#[test]
fn added_functions_have_names_even_if_no_other_function_has() {
    let text = format!(
        "(module {IMPORTS} (memory 1) (func (param i64 i32 i32) {0} {0}))",
        "(loop (i64.store (local.get 1) (call 0 (local.get 0)))
          (local.set 1 (i32.add (local.get 1) (i32.const 8)))
          (local.set 0 (i64.add (local.get 0) (i64.const 8)))
          (br_if 0 (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))"
    )
    .replace("$load ", "")
    .replace("$store ", "");
    let wasm = fused(&wat::parse_str(text).unwrap(), true).unwrap();
    assert_eq!(function_names(&wasm), ["vitrine.load"]);
}

#[test]
fn a_module_that_calls_no_accessor_stays_as_it_is() {
    for text in [
        "(module)".to_owned(),
        "(module (memory 1) (func (drop (i32.load (i32.const 0)))))".to_owned(),
        format!("(module {IMPORTS} (memory 1) (export \"load\" (func $load)))"),
        r#"(module (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
          (func (drop (call $alloc (i64.const 1)))))"#
            .to_owned(),
        // These are not the kernel's functions.
        r#"(module (import "extism:host/user" "load_u8" (func $f (param i64) (result i32)))
          (func (drop (call $f (i64.const 1)))))"#
            .to_owned(),
    ] {
        assert!(
            fused(&wat::parse_str(&text).unwrap(), true).is_none(),
            "{text}"
        );
    }
}

#[test]
fn a_module_without_room_for_a_memory_stays_as_it_is() {
    let text = |memories| {
        format!(
            "(module {IMPORTS} {} (func (drop (call $load (i64.const 1)))))",
            "(memory 0)".repeat(memories)
        )
    };
    assert!(fused(&wat::parse_str(text(99)).unwrap(), true).is_some());
    assert!(fused(&wat::parse_str(text(100)).unwrap(), true).is_none());
}

#[test]
fn bytes_that_only_look_like_a_call_stay_as_they_are() {
    // The constant has the bytes of a call of function 0.
    let text = format!("(module {IMPORTS} (func (drop (i32.const 0x810))))");
    assert!(fused(&wat::parse_str(&text).unwrap(), true).is_none());
}

/// The module has many pairs of loops, and each pair needs a function of its own.
#[test]
fn a_module_that_would_need_very_many_functions_gets_some() {
    for (times, copies, turns) in [(1, 256, 0), (2, 512, 256)] {
        let loops: String = (0..2000)
            .map(|number| {
                let offset = number * 8;
                format!(
                    r#"(loop $turn
                         (i64.store offset={offset} (local.get 1) (call $load (local.get 0)))
                         (local.set 0 (i64.add (local.get 0) (i64.const 8)))
                         (local.set 1 (i32.add (local.get 1) (i32.const 8)))
                         (br_if $turn (i64.ne (local.get 0) (local.get 2))))"#
                )
                .repeat(times)
            })
            .collect();
        let text = format!(
            r#"(module
              (import "extism:host/env" "load_u64" (func $load (param i64) (result i64)))
              (memory 1)
              (func (export "run") (param i64 i32 i64) {loops}))"#
        );
        let wasm = wat::parse_str(text).unwrap();
        assert_eq!(copy_loops(&wasm), copies);
        // One more function is for all calls that are left.
        assert_eq!(bodies(&fused(&wasm, true).unwrap()), 1 + turns + 1);
    }
}
