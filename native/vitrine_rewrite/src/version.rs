//! The version of the output of the passes.

/// The version counts the changes of the output of any pass. Native code that was compiled from the output of another
/// version must not be used.
pub const VERSION: u32 = 6;

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::bulk::make_interruptible;
    use crate::command;
    use crate::data::without_data;
    use crate::fuse::fuse;

    /// This test fails whenever the output of a pass changes, also when an update of `wasm-encoder` changes it. Then
    /// count [`VERSION`] up, and put the new hash here.
    #[test]
    fn the_version_is_counted_up_when_the_output_of_a_pass_changes() {
        let text = r#"(module
          (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
          (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
          (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
          (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
          (import "extism:host/env" "input_length" (func $length (result i64)))
          (import "extism:host/env" "input_load_u8" (func $input_u8 (param i64) (result i32)))
          (import "extism:host/env" "input_load_u64" (func $input_u64 (param i64) (result i64)))
          (func $load (param i64 i32 i64)
            (loop $turn
              (i32.store8 (local.get 1) (call $load_u8 (local.get 0)))
              (local.set 0 (i64.add (local.get 0) (i64.const 1)))
              (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if $turn (i64.lt_u (local.get 0) (local.get 2)))))
          (func $store (param i64 i32 i64)
            (loop $turn
              (call $store_u64 (local.get 0) (i64.load (local.get 1)))
              (local.set 0 (i64.add (local.get 0) (i64.const 8)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $turn (i64.ne (local.get 0) (local.get 2)))))
          (func $again (param i64 i32 i64)
            (loop $turn
              (call $store_u64 (local.get 0) (i64.load (local.get 1)))
              (local.set 0 (i64.add (local.get 0) (i64.const 8)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $turn (i64.ne (local.get 0) (local.get 2))))
            (drop (call $load_u8 (local.get 0)))
            (drop (call $load_u8 (local.get 2)))
            (drop (call $load_u8 (i64.const 0))))
          (func $input (param i64 i32 i32)
            (loop $turn
              (i64.store (local.get 1) (call $input_u64 (local.get 0)))
              (local.set 0 (i64.add (local.get 0) (i64.const 8)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $turn (local.tee 2 (i32.add (local.get 2) (i32.const -1)))))
            (call $store_u8 (call $load_u64 (call $length)) (call $input_u8 (local.get 0))))
          (memory 1) (table 9 funcref) (data $d "bytes") (data (i32.const 8) "gone") (elem $e func $run)
          (func $run (param i32 i32 i32)
            (drop (memory.grow (memory.size)))
            (memory.fill (local.get 0) (local.get 1) (local.get 2))
            (memory.copy (local.get 0) (local.get 1) (local.get 2))
            (memory.init $d (local.get 0) (local.get 1) (local.get 2))
            (table.fill (local.get 0) (ref.null func) (local.get 2))
            (table.copy (local.get 0) (local.get 1) (local.get 2))
            (table.init $e (local.get 0) (local.get 1) (local.get 2)))
          (func (export "_start")))"#;
        let command = command::prepare(&wat::parse_str(text).unwrap(), true)
            .unwrap()
            .unwrap();
        let interruptible = make_interruptible(&command).unwrap();
        let fused = fuse(&interruptible, true).unwrap().unwrap();
        let compiled = without_data(&fused).unwrap();
        let hash = Sha256::digest(&compiled);
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((VERSION, hash.as_str()), (6, "4a44a7d33ad6dd33"));
    }
}
