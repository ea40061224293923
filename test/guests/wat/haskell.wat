;; What GHC's plugins export: `_initialize` is to be called first, then `hs_init(0, 0)`, and `__wasm_call_ctors` not at all.
;; Each call appends a digit, so that `value` outputs 12.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (global $calls (mut i64) (i64.const 0))

  (func $append (param $digit i64)
    (global.set $calls (i64.add (i64.mul (global.get $calls) (i64.const 10)) (local.get $digit))))
  (func (export "_initialize") (call $append (i64.const 1)))
  ;; 3 instead of 2 when the arguments are not zero.
  (func (export "hs_init") (param $argc i32) (param $argv i32)
    (call $append
      (select (i64.const 3) (i64.const 2) (i32.or (local.get $argc) (local.get $argv)))))
  (func (export "__wasm_call_ctors") (call $append (i64.const 9)))
  (func (export "value") (result i32)
    (call $output_decimal (global.get $calls))
    (i32.const 0))

  ;; Outputs $n in decimal.
  (func $output_decimal (param $n i64)
    (local $end i64) (local $at i64)
    (local.set $end (i64.add (call $alloc (i64.const 20)) (i64.const 20)))
    (local.set $at (local.get $end))
    (loop $digit
      (local.set $at (i64.sub (local.get $at) (i64.const 1)))
      (call $store_u8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (br_if $digit (i64.ne (local.get $n) (i64.const 0))))
    (call $output_set (local.get $at) (i64.sub (local.get $end) (local.get $at)))))
