//! `table.fill`, `table.copy` and `table.init`.

use wasmtime::{Trap, Val};

use crate::support::{Runs, binary, i32s, i64s};

const EDGES: [u32; 9] = [0, 1, 3, 4, 20, 39, 40, 41, u32::MAX - 2];

fn edges(ty: &str) -> Vec<Val> {
    let mut edges = EDGES.map(u64::from).to_vec();
    match ty {
        "i64" => {
            edges.extend([1 << 32, u64::MAX - 1]);
            i64s(&edges)
        }
        _ => i32s(&EDGES),
    }
}

/// Functions that can be told apart, and two segments of them.
fn functions(count: usize) -> String {
    let functions: String = (0..count)
        .map(|n| format!("(func $f{n} (result i32) (i32.const {n}))"))
        .collect();
    let names: String = (0..count).map(|n| format!(" $f{n}")).collect();
    format!("{functions} (elem $e func{names}) (elem $all func{names})")
}

#[test]
fn bulk_instructions_on_tables_of_functions_run_the_same() {
    for (dst, src) in [
        ("i32", "i32"),
        ("i64", "i32"),
        ("i32", "i64"),
        ("i64", "i64"),
    ] {
        let length = if dst == src { dst } else { "i32" };
        let mut runs = Runs::new(&binary(&format!(
            r#"(module {functions}
                 (table $d (export "d") {dst} 40 funcref)
                 (table $s (export "s") {src} 41 funcref)
                 (func (export "drop") (elem.drop $e))
                 (func (export "reset")
                   (table.init $d $all ({dst}.const 0) (i32.const 0) (i32.const 40))
                   (table.init $s $all ({src}.const 1) (i32.const 0) (i32.const 40)))
                 (func (export "fill") (param {dst} i32 {dst})
                   (table.fill $d (local.get 0) (ref.func $f3) (local.get 2)))
                 (func (export "fill_null") (param {dst} i32 {dst})
                   (table.fill $d (local.get 0) (ref.null func) (local.get 2)))
                 (func (export "within") (param {dst} {dst} {dst})
                   (table.copy $d $d (local.get 0) (local.get 1) (local.get 2)))
                 (func (export "between") (param {dst} {src} {length})
                   (table.copy $d $s (local.get 0) (local.get 1) (local.get 2)))
                 (func (export "init") (param {dst} i32 i32)
                   (table.init $d $e (local.get 0) (local.get 1) (local.get 2))))"#,
            functions = functions(40),
        )));
        let (to, from, length) = (edges(dst), edges(src), edges(length));
        let small = edges("i32");
        let none = i32s(&[0]);
        runs.sweep("within", &[&to, &to, &to]);
        runs.sweep("between", &[&to, &from, &length]);
        let (returned, trapped) = runs.sweep("init", &[&to, &small, &small]);
        assert!(returned > 20 && trapped > 20);
        runs.sweep("fill", &[&to, &none, &to]);
        runs.sweep("fill_null", &[&to, &none, &to]);
        runs.call("drop", &[]).expect("a drop");
        runs.sweep("init", &[&to, &small, &small]);
    }
}

#[test]
fn bulk_instructions_on_tables_of_collected_references_run_the_same() {
    for ty in ["anyref", "eqref", "i31ref", "(ref i31)"] {
        let mut runs = Runs::new(&binary(&format!(
            r#"(module
                 (table $t (export "t") 40 {ty} (ref.i31 (i32.const -1)))
                 (elem $e {ty} {items}) (elem $all {ty} {items})
                 (func (export "reset")
                   (table.init $t $all (i32.const 0) (i32.const 0) (i32.const 40)))
                 (func (export "fill") (param i32 i32 i32)
                   (table.fill $t (local.get 0) (ref.i31 (local.get 1)) (local.get 2)))
                 (func (export "copy") (param i32 i32 i32)
                   (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
                 (func (export "init") (param i32 i32 i32)
                   (table.init $t $e (local.get 0) (local.get 1) (local.get 2))))"#,
            items = (0..40)
                .map(|n| format!("(ref.i31 (i32.const {n}))"))
                .collect::<String>(),
        )));
        let edges = edges("i32");
        runs.sweep("copy", &[&edges, &edges, &edges]);
        runs.sweep("init", &[&edges, &edges, &edges]);
        runs.sweep("fill", &[&edges, &i32s(&[77]), &edges]);
        assert_eq!(
            runs.call("fill", &i32s(&[1, 1, 40])),
            Err(Trap::TableOutOfBounds)
        );
    }
}
