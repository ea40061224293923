//! `array.fill`, `array.copy`, `array.init_data` and `array.init_elem`.

use wasmtime::Trap;

use crate::support::{Runs, binary, i32s};

const EDGES: [u32; 8] = [0, 1, 3, 4, 20, 40, 41, u32::MAX - 2];

/// Elements of one type: how they are stored, what they are on the stack, and how they come
/// from numbers and are looked at.
struct Kind {
    storage: &'static str,
    value: &'static str,
    from: &'static str,
    get: &'static str,
}

/// A module with two arrays, that fills them from a segment by `init`.
fn module(kind: &Kind, init: &str) -> String {
    let Kind {
        storage,
        value,
        get,
        ..
    } = kind;
    let from = |number: &str| match kind.from {
        "" => number.to_owned(),
        from => format!("({from} {number})"),
    };
    let second = from("(local.get 1)");
    let [sevens, fives] = [7, 5].map(|n| from(&format!("(i32.mul (local.get 0) (i32.const {n}))")));
    let tail = "(local.get 0) (local.get 1) (local.get 2)";
    format!(
        r#"(module
             (rec (type $other (struct (field (ref null $a)))) (type $a (array (mut {storage}))))
             (global $x (mut (ref null $a)) (ref.null $a))
             (global $y (mut (ref null $a)) (ref.null $a))
             (global $none (ref null $a) (ref.null $a))
             (data $data "{data}")
             (elem $e anyref {items})
             (func (export "new")
               (global.set $x (array.new_default $a (i32.const 40)))
               (global.set $y (array.new_default $a (i32.const 41))))
             (func (export "reset") (local i32)
               (loop $next
                 (array.set $a (global.get $x) (local.get 0) {sevens})
                 (array.set $a (global.get $y) (local.get 0) {fives})
                 (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                 (br_if $next (i32.lt_u (local.get 0) (i32.const 40)))))
             (func (export "atx") (param i32) (result {value}) {get})
             (func (export "fill") (param i32 i32 i32)
               (array.fill $a (global.get $x) (local.get 0) {second} (local.get 2)))
             (func (export "within") (param i32 i32 i32)
               (array.copy $a $a (global.get $x) (local.get 0) (global.get $x) (local.get 1) (local.get 2)))
             (func (export "between") (param i32 i32 i32)
               (array.copy $a $a (global.get $x) (local.get 0) (global.get $y) (local.get 1) (local.get 2)))
             (func (export "drop") (data.drop $data) (elem.drop $e))
             (func (export "init") (param i32 i32 i32) ({init} (global.get $x) {tail}))
             (func (export "init_none") (param i32 i32 i32) ({init} (global.get $none) {tail}))
             (func (export "fill_none") (param i32 i32 i32)
               (array.fill $a (global.get $none) (local.get 0) {second} (local.get 2)))
             (func (export "to_none") (param i32 i32 i32)
               (array.copy $a $a (global.get $none) (local.get 0) (global.get $x) (local.get 1) (local.get 2)))
             (func (export "from_none") (param i32 i32 i32)
               (array.copy $a $a (global.get $x) (local.get 0) (global.get $none) (local.get 1) (local.get 2))))"#,
        // 40 elements of whatever size, and a bit.
        data = (0..163).map(|n| format!("\\{n:02x}")).collect::<String>(),
        items = (0..40)
            .map(|n| format!("(ref.i31 (i32.const {n}))"))
            .collect::<String>(),
    )
}

fn check(wat: &str) {
    let mut runs = Runs::new(&binary(wat));
    let edges = i32s(&EDGES);
    let mut bytes = EDGES.to_vec();
    bytes.extend([80, 123, 163]);
    let bytes = i32s(&bytes);
    runs.call("new", &[]).expect("arrays");
    let (returned, trapped) = runs.sweep("within", &[&edges, &edges, &edges]);
    assert!(returned > 20 && trapped > 20);
    runs.sweep("between", &[&edges, &edges, &edges]);
    let (returned, trapped) = runs.sweep("init", &[&edges, &bytes, &edges]);
    assert!(returned > 20 && trapped > 20);
    runs.sweep("fill", &[&edges, &i32s(&[9]), &edges]);
    for (name, args) in [("fill", [3, 1, 38]), ("between", [3, 3, u32::MAX - 2])] {
        assert_eq!(runs.call(name, &i32s(&args)), Err(Trap::ArrayOutOfBounds));
    }
    for name in ["fill_none", "to_none", "from_none", "init_none"] {
        let few = i32s(&[0, 4, 40, u32::MAX]);
        let (returned, _) = runs.sweep(name, &[&few, &few, &few]);
        assert_eq!(returned, 0, "{name} of a null reference");
        assert_eq!(runs.call(name, &i32s(&[0, 0, 5])), Err(Trap::NullReference));
    }
    runs.call("drop", &[]).expect("a drop");
    runs.sweep("init", &[&edges, &bytes, &edges]);
}

fn numbers(storage: &'static str, value: &'static str, from: &'static str) {
    let get = match storage {
        "i8" | "i16" => "(array.get_u $a (global.get $x) (local.get 0))",
        _ => "(array.get $a (global.get $x) (local.get 0))",
    };
    let kind = Kind {
        storage,
        value,
        from,
        get,
    };
    check(&module(&kind, "array.init_data $a $data"));
}

#[test]
fn bulk_instructions_on_packed_arrays_run_the_same() {
    numbers("i8", "i32", "");
    numbers("i16", "i32", "");
}

#[test]
fn bulk_instructions_on_integer_arrays_run_the_same() {
    numbers("i32", "i32", "");
    numbers("i64", "i64", "i64.extend_i32_u");
}

#[test]
fn bulk_instructions_on_float_and_vector_arrays_run_the_same() {
    numbers("f32", "f32", "f32.reinterpret_i32");
    numbers("f64", "f64", "f64.convert_i32_u");
    numbers("v128", "v128", "i32x4.splat");
}

#[test]
fn bulk_instructions_on_reference_arrays_run_the_same() {
    let kind = Kind {
        storage: "anyref",
        value: "i32",
        from: "ref.i31",
        get: "(i31.get_u (ref.cast (ref i31) (array.get $a (global.get $x) (local.get 0))))",
    };
    check(&module(&kind, "array.init_elem $a $e"));
}

/// The source is immutable, and a subtype.
#[test]
fn array_copy_between_types_runs_the_same() {
    let mut runs = Runs::new(&binary(
        r#"(module
             (type $d (array (mut anyref))) (type $s (array (ref i31)))
             (global $d (mut (ref null $d)) (ref.null $d))
             (func (export "new") (global.set $d (array.new_default $d (i32.const 40))))
             (func (export "at") (param i32) (result i32)
               (ref.is_null (array.get $d (global.get $d) (local.get 0))))
             (func (export "copy") (param i32 i32 i32)
               (array.copy $d $s (global.get $d) (local.get 0)
                 (array.new $s (ref.i31 (i32.const 4)) (i32.const 20)) (local.get 1) (local.get 2))))"#,
    ));
    runs.call("new", &[]).expect("an array");
    let edges = i32s(&EDGES);
    runs.sweep("copy", &[&edges, &edges, &edges]);
}
