//! Bytes that are not a module may give an error, but never a panic.

use proptest::prelude::*;
use vitrine_rewrite::bulk::{make_interruptible, split};

use crate::{TINY, binary};

/// A module with sections and instructions of all kinds.
fn rich() -> Vec<u8> {
    binary(
        r#"(module $rich
             (import "a" "b" (func $i (param i32)))
             (import "a" "m" (memory $m 1))
             (rec (type $a (array (mut i32))) (type $r (array (mut anyref))))
             (memory $n i64 1) (table $t 9 funcref) (table $u i64 9 anyref)
             (global (mut i32) (i32.const 1))
             (data $d "0123456789") (elem $e func $f $f $f $f $f)
             (start $s) (func $s)
             (func $f (export "f") (param i32 i64) (local (ref null $a) f64)
               (memory.fill $m (local.get 0) (local.get 0) (local.get 0))
               (memory.copy $n $m (local.get 1) (local.get 0) (local.get 0))
               (memory.init $m $d (local.get 0) (local.get 0) (local.get 0))
               (table.fill $u (local.get 1) (ref.null any) (local.get 1))
               (table.copy $t $t (local.get 0) (local.get 0) (i32.const 70000))
               (table.init $t $e (local.get 0) (local.get 0) (local.get 0))
               (array.fill $a (local.get 2) (local.get 0) (local.get 0) (local.get 0))
               (array.copy $a $a (local.get 2) (local.get 0) (local.get 2) (local.get 0) (local.get 0))
               (array.init_data $a $d (local.get 2) (local.get 0) (local.get 0) (local.get 0)))
             (@custom ".debug_line" "x"))"#,
    )
}

#[test]
fn a_module_that_is_cut_short_does_not_panic() {
    let wasm = rich();
    split(&wasm, TINY).expect("the whole is a module");
    for end in 0..wasm.len() {
        let _ = split(&wasm[..end], TINY);
        let _ = make_interruptible(&wasm[..end]);
    }
}

#[test]
fn a_module_with_one_replaced_byte_does_not_panic() {
    let wasm = rich();
    for index in 0..wasm.len() {
        for byte in [0, 1, 0x0b, 0x40, 0x60, 0x7f, 0x80, 0xfb, 0xfc, 0xff] {
            let mut wasm = wasm.clone();
            wasm[index] = byte;
            let _ = split(&wasm, TINY);
        }
    }
}

#[test]
fn components_are_refused() {
    assert!(make_interruptible(&binary("(component)")).is_err());
}

proptest! {
    #[test]
    fn random_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = make_interruptible(&bytes);
        let _ = split(&[b"\0asm\x01\0\0\0", &bytes[..]].concat(), TINY);
    }

    #[test]
    fn a_module_with_some_replaced_bytes_does_not_panic(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut wasm = rich();
        for (index, byte) in places {
            let index = index.index(wasm.len());
            wasm[index] = byte;
        }
        let _ = split(&wasm, TINY);
    }
}
