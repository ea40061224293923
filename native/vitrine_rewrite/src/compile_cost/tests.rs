//! Modules that are refused for their cost, and similar ones that are not.

use super::bounds::{MAX_LOOP_DEPTH, MAX_TRY_DEPTH};
use super::check;

fn verdict(text: &str) -> Result<(), String> {
    check(&wat::parse_str(text).unwrap(), false)
        .map(drop)
        .map_err(|e| e.to_string())
}

fn refused(text: &str, why: &str) {
    let message = verdict(text).unwrap_err();
    assert!(message.contains("too long"), "{message}");
    assert!(message.contains(why), "{message}");
}

fn function(params: &str, body: &str) -> String {
    format!("(module (tag $t) (func $f {params} {body}))")
}

fn nested(begin: &str, end: &str, n: usize) -> String {
    function("(param i32)", &(begin.repeat(n) + &end.repeat(n)))
}

#[test]
fn loops_may_be_nested_up_to_a_limit() {
    let loops = |n| nested("loop ", "local.get 0 br_if 0 end ", n);
    assert_eq!(verdict(&loops(MAX_LOOP_DEPTH)), Ok(()));
    refused(&loops(MAX_LOOP_DEPTH + 1), "function 0 has more than 64");
    // Loops or blocks in a row are not nested.
    let row = "loop local.get 0 br_if 0 end ".repeat(500);
    assert_eq!(verdict(&function("(param i32)", &row)), Ok(()));
    refused(&function("(param i32)", &row.repeat(2)), "loops");
    // Blocks may be nested: some compilers nest thousands of them.
    assert_eq!(verdict(&nested("block ", "end ", 5_000)), Ok(()));
}

#[test]
fn locals_are_counted_by_where_they_are_used() {
    let uses = |locals: usize| -> String {
        let uses = (1..=locals).map(|local| format!("local.get {local} drop "));
        uses.collect()
    };
    let locals = |n: usize| format!("(param i32) (local {})", "i32 ".repeat(n));
    let loops = |n: usize| "loop local.get 0 br_if 0 end ".repeat(n);
    let ifs = |n: usize| "local.get 0 if end ".repeat(n);
    let with = |n: usize, code: String| function(&locals(n), &(code + &uses(n)));
    assert_eq!(verdict(&with(20, loops(400))), Ok(()));
    refused(&with(2_000, loops(400)), "values times loops");
    assert_eq!(verdict(&with(200, ifs(1_000))), Ok(()));
    // Compilers that do not optimise use each local for a moment only.
    let moments = (1..=5_000).map(|i| format!("local.get 0 local.set {i} local.get {i} if end "));
    let moments = moments.collect::<String>() + &loops(40);
    assert_eq!(verdict(&function(&locals(5_000), &moments)), Ok(()));
    // A loop keeps what it reads for its next iteration.
    let sets: String = (1..=2_000)
        .map(|i| format!("local.get 0 local.set {i} "))
        .collect();
    let around = format!(
        "{sets} loop {} {} local.get 0 br_if 0 end",
        uses(2_000),
        ifs(2_000)
    );
    refused(&function(&locals(2_000), &around), "values times branches");
    refused(&with(2_000, ifs(2_000)), "values times branches");
    // The locals of one function are cheap. Those of many functions add up, because they take no bytes.
    let many = format!("(func (local {}))", "i32 ".repeat(20_000));
    assert_eq!(verdict(&format!("(module {many})")), Ok(()));
    refused(&format!("(module {})", many.repeat(6)), "the module has");
}

#[test]
fn values_that_calls_and_branches_pass_on_are_counted() {
    let types = "i32 ".repeat(500);
    let around = |calls: usize| {
        let values = "i32.const 0 ".repeat(500);
        let calls = "call $f ".repeat(calls);
        format!(
            "(module (func $f (param {types}) (result {types}) unreachable)
               (func (result {types}) {values} {calls}))"
        )
    };
    assert_eq!(verdict(&around(10)), Ok(()));
    refused(&around(100), "values");
    let table = |targets: usize| {
        let targets = "0 ".repeat(targets);
        format!(
            "(module (func $f (result {types}) unreachable)
               (func (result {types}) call $f i32.const 0 br_table {targets}))"
        )
    };
    assert_eq!(verdict(&table(50)), Ok(()));
    refused(&table(5_000), "values");
}

#[test]
fn operands_are_counted_like_locals() {
    let over = |n: usize, code: &str| {
        let calls = "call $f ".repeat(n);
        let drops = "drop ".repeat(n);
        format!("(module (func $f (result i32) (i32.const 0)) (func {calls} {code} {drops}))")
    };
    // Operands that come one after the other are cheap. Operands that are there all at once are not.
    assert_eq!(verdict(&over(1, &"call $f drop ".repeat(50_000))), Ok(()));
    assert_eq!(verdict(&over(1_000, "")), Ok(()));
    refused(&over(5_000, ""), "function 1 has");
    refused(&over(5_000, ""), "values times instructions");
    assert_eq!(
        verdict(&over(100, &"(if (call $f) (then)) ".repeat(1_000))),
        Ok(())
    );
    refused(
        &over(500, &"(if (call $f) (then)) ".repeat(1_000)),
        "values times branches",
    );
    refused(&over(500, &"(loop) ".repeat(500)), "values times loops");
    // A count that one function may have is too much if all functions have it.
    let usual = "(func (drop (call $f)))".repeat(3_000);
    let large = |n| {
        format!(
            "(module (func $f (result i32) (i32.const 0)) {})",
            usual.clone()
                + &"(func CODE)"
                    .replace("CODE", &("call $f ".repeat(1_000) + &"drop ".repeat(1_000)))
                    .repeat(n)
        )
    };
    assert_eq!(verdict(&large(2)), Ok(()));
    refused(&large(60), "the module has");
}

#[test]
fn references_are_counted_for_each_call_over_which_they_are_live() {
    let over = |ty: &str, n: usize| {
        let (sets, gets): (String, String) = (0..n)
            .map(|i| {
                (
                    format!("call $f local.set {i} "),
                    format!("local.get {i} drop "),
                )
            })
            .unzip();
        let locals = format!("{ty} ").repeat(n);
        let calls = "call $g ".repeat(500);
        let ends = format!("{} {calls} {}", "call $f ".repeat(n), "drop ".repeat(n));
        format!(
            "(module (func $f (result {ty}) unreachable) (func $g)
               (func (local {locals}) {sets} {calls} {gets}) (func {ends}))"
        )
    };
    assert_eq!(verdict(&over("externref", 100)), Ok(()));
    refused(&over("externref", 500), "references times calls");
    // References to functions are not traced.
    assert_eq!(verdict(&over("funcref", 500)), Ok(()));
}

#[test]
fn instructions_are_counted_by_the_code_that_they_become() {
    let module = |code: &str, n: usize| {
        let code = format!("{code} ").repeat(n);
        format!(
            "(module (memory 1) (table $t 1 externref) (type $s (struct (field i32) (field externref)))
               (type $large (struct {}))
               (func (param $i i32) (param $s (ref null $s)) {code}))",
            "(field i64) ".repeat(1_000)
        )
    };
    let fields = [
        "local.get $s struct.get $s 0 drop",
        "local.get $s struct.get $s 1 drop",
    ];
    assert_eq!(verdict(&module(fields[0], 10_000)), Ok(()));
    assert_eq!(verdict(&module(fields[1], 1_000)), Ok(()));
    refused(&module(fields[1], 10_000), "branches");
    let copy = "local.get $i local.get $i local.get $i table.copy $t $t";
    assert_eq!(verdict(&module(copy, 100)), Ok(()));
    refused(&module(copy, 1_000), "branches");
    let fill = "local.get $i local.get $i local.get $i memory.fill";
    assert_eq!(verdict(&module(fill, 1_000)), Ok(()));
    // The elements of an array are taken one after the other.
    let array = |n: usize| {
        let elements = "i32.const 1 ".repeat(n);
        format!("(module (type $a (array i32)) (func {elements} (drop (array.new_fixed $a {n}))))")
    };
    assert_eq!(verdict(&array(5_000)), Ok(()));
    refused(&array(50_000), "branches");
    // An instruction of three bytes writes a thousand fields.
    let new = "struct.new_default $large drop";
    assert_eq!(verdict(&module(new, 10)), Ok(()));
    refused(&module(new, 100), "values");
}

#[test]
fn functions_and_the_types_of_functions_are_counted() {
    let functions = |n| format!("(module {})", "(func)".repeat(n));
    assert_eq!(verdict(&functions(5_000)), Ok(()));
    refused(&functions(10_000), "the module has 10000 functions");
    let params = "(param i64) ".repeat(1_000);
    let types = |n: usize| -> String {
        // Each type is a different one.
        let types = (0..n).map(|i| format!("(type (func {params} (result {})))", "i32 ".repeat(i)));
        format!("(module {})", types.collect::<String>())
    };
    assert_eq!(verdict(&types(10)), Ok(()));
    refused(&types(30), "values times instructions");
}

#[test]
fn modules_that_take_longer_have_higher_estimates() {
    let estimate = |text: &str| check(&wat::parse_str(text).unwrap(), false).unwrap();
    let usual = |n: usize| function("(param i32)", &"local.get 0 if end ".repeat(n));
    assert!(estimate(&usual(10)) < 1_000);
    assert!(estimate(&usual(10_000)) > 50 * estimate(&usual(10)));
    let alive = "call $f ".repeat(1_500) + &"i32.add ".repeat(1_499);
    let text = |body: &str| {
        format!("(module (func $f (result i32) (i32.const 0)) (func (result i32) {body}))")
    };
    let moments = "call $f drop ".repeat(1_500) + "call $f";
    assert!(estimate(&text(&alive)) > 5 * estimate(&text(&moments)));
}

#[test]
fn handlers_are_counted_for_each_call_within_them() {
    let nest = |n| nested("block try_table (catch $t 0) ", "end end ", n);
    assert_eq!(verdict(&nest(MAX_TRY_DEPTH)), Ok(()));
    refused(&nest(MAX_TRY_DEPTH + 1), "256 try_tables");
    let calls = "call $f ".repeat(200);
    let catches = |n: usize| {
        let catches = "(catch $t 0) ".repeat(n);
        function("", &format!("block try_table {catches} {calls} end end"))
    };
    assert_eq!(verdict(&catches(20)), Ok(()));
    refused(&catches(200), "handlers");
}

#[test]
fn initialisers_of_tables_globals_and_memories_are_counted() {
    let module =
        |fields: &str, each: &str, n: usize| format!("(module {fields} {})", each.repeat(n));
    let elements = |fields: &str, segment: &str, each: &str, n: usize| {
        format!(
            "(module (func $f) {fields} (elem {segment} {}))",
            each.repeat(n)
        )
    };
    let externs = "(table 60000 externref)";
    let null = "(ref.null extern) ";
    let time = "microseconds' worth";
    // References that are not collected are put into a table, or kept for one.
    let passive = |n| elements("", "externref", null, n);
    assert_eq!(verdict(&passive(2_000)), Ok(()));
    refused(&passive(60_000), time);
    let active = |n| elements(externs, "(i32.const 0) externref", null, n);
    assert_eq!(verdict(&active(1_500)), Ok(()));
    refused(
        &active(40_000),
        "40000 references in initialisers; the limit is 2117 for 120059 bytes",
    );
    let functions = |n| elements("", "func", "$f ", n);
    assert_eq!(verdict(&functions(30_000)), Ok(()));
    refused(&functions(1_000_000), time);
    let expressions = |n| elements("", "funcref", "(ref.func $f) ", n);
    assert_eq!(verdict(&expressions(4_000)), Ok(()));
    refused(&expressions(330_000), time);
    // Tables of compilers are filled at compile time. Tables that differ between instances are not.
    let filled = |n| elements("(table 1000000 funcref)", "(i32.const 0) func", "$f ", n);
    assert_eq!(verdict(&filled(900_000)), Ok(()));
    let base = "(import \"env\" \"base\" (global $b i32)) (table 100000 funcref)";
    let moved = |n| {
        elements(base, "(global.get $b) func", "$f ", n).replace("(func $f) (import", "(import")
    };
    assert_eq!(
        verdict(&moved(10_000).replace("(elem", "(func $f) (elem")),
        Ok(())
    );
    refused(&moved(50_000).replace("(elem", "(func $f) (elem"), time);
    assert_eq!(
        verdict(&module("(memory 1)", "(data (i32.const 7) \"a\")", 4_000)),
        Ok(())
    );
    refused(
        &module("(memory 1)", "(data (i32.const 7) \"a\")", 49_000),
        "49000 data segments",
    );
    assert_eq!(
        verdict(&module("(memory 1)", "(data \"a\")", 49_000)),
        Ok(())
    );
    let global = "(global funcref (ref.func $f))";
    assert_eq!(verdict(&module("(func $f)", global, 5_000)), Ok(()));
    refused(&module("(func $f)", global, 50_000), time);
    let global = "(global externref (ref.null extern))";
    assert_eq!(verdict(&module("", global, 1_500)), Ok(()));
    refused(
        &module("", global, 10_000),
        "10000 references in initialisers",
    );
    let global = "(global i32 (i32.const 0))";
    assert_eq!(verdict(&module("", global, 40_000)), Ok(()));
    let array = "(array.new_fixed $a 100 FIELDS)".replace("FIELDS", &null.repeat(100));
    let global = format!("(global (ref $a) {array})");
    let array = "(type $a (array externref))";
    assert_eq!(verdict(&module(array, &global, 50)), Ok(()));
    refused(&module(array, &global, 1_000), time);
    let structs = "(type $s (struct (field i32)))";
    let global = "(global (ref $s) (struct.new $s (i32.const 1)))";
    assert_eq!(verdict(&module(structs, global, 800)), Ok(()));
    refused(
        &module(structs, global, 10_000),
        "references in initialisers",
    );
    // A few bytes make a table of a million elements, many times.
    let table = "(table 1000000 funcref (ref.func $f))";
    assert_eq!(verdict(&module("(func $f)", table, 2)), Ok(()));
    refused(&module("(func $f)", table, 90), time);
}

#[test]
fn types_imports_exports_and_tags_are_counted() {
    let time = "microseconds' worth";
    let types = |n: usize| -> String {
        let types = (0..n).map(|i| {
            let params: String = (0..14).map(|bit| ["i32 ", "i64 "][i >> bit & 1]).collect();
            format!("(type (func (param {params})))")
        });
        format!("(module {})", types.collect::<String>())
    };
    assert_eq!(verdict(&types(2_000)), Ok(()));
    refused(&types(10_000), time);
    let numbered = |n: usize, field: &dyn Fn(usize) -> String| -> String {
        format!(
            "(module (func $f) (tag $t) {})",
            (0..n).map(field).collect::<String>()
        )
    };
    let exports = |i| format!("(export \"{i}\" (func $f))");
    assert_eq!(verdict(&numbered(50_000, &exports)), Ok(()));
    let tags = |_| "(tag)".to_string();
    assert_eq!(verdict(&numbered(50_000, &tags)), Ok(()));
    let imports = |n: usize| -> String {
        let imports = (0..n).map(|i| format!("(import \"a\" \"{i}\" (func))"));
        format!("(module {})", imports.collect::<String>())
    };
    assert_eq!(verdict(&imports(50_000)), Ok(()));
}

#[test]
fn blocks_are_counted_by_the_blocks_around_them() {
    let ifs = |n| {
        let (begin, end) = ("local.get 0 if (result i32) ", "else i32.const 0 end ");
        let body = begin.repeat(n) + "i32.const 1 " + &end.repeat(n);
        function("(param i32) (result i32)", &body)
    };
    assert_eq!(verdict(&ifs(3_000)), Ok(()));
    refused(&ifs(20_000), "results of blocks within each other");
    refused(
        &nested("block ", "end ", 40_000),
        "blocks within each other",
    );
    // Loops or blocks in a row are not nested.
    let row = "(drop (if (result i32) (local.get 0) (then i32.const 1) (else i32.const 0)))";
    assert_eq!(
        verdict(&function("(param i32)", &row.repeat(20_000))),
        Ok(())
    );
}

#[test]
fn reads_of_tables_are_weighed_and_weigh_more_with_fuel() {
    let gets = |n| {
        let body = "local.get 0 table.get $t drop ".repeat(n);
        wat::parse_str(format!(
            "(module (table $t 1 funcref) (func (param i32) {body}))"
        ))
        .unwrap()
    };
    let verdict = |n, fuel| check(&gets(n), fuel).map_err(|e| e.to_string());
    assert!(verdict(2_000, false).is_ok() && verdict(1_500, true).is_ok());
    let message = verdict(64_000, false).unwrap_err();
    assert!(
        message.contains("branches that its instructions become; the limit is"),
        "{message}"
    );
    assert!(verdict(3_000, false).is_ok() && verdict(3_000, true).is_err());
    assert!(verdict(1_500, true).unwrap() > verdict(1_500, false).unwrap());
}

#[test]
fn an_invalid_module_is_refused_with_the_reason() {
    let message = verdict("(module (func (result i32)))").unwrap_err();
    assert!(message.contains("type mismatch"), "{message}");
    // Impossible indices take no memory.
    assert!(verdict("(module (func (drop (local.get 4000000000))))").is_err());
}

#[test]
fn modules_from_compilers_are_far_from_the_limits() {
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/guests/wasm");
    for guest in std::fs::read_dir(guests).unwrap() {
        let path = guest.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            let wasm = std::fs::read(&path).unwrap();
            let checked = check(&wasm, false).map_err(|e| e.to_string());
            assert!(checked.is_ok(), "{}: {checked:?}", path.display());
        }
    }
}
