;; The main module to the libraries `command` and `reactor`, of which it calls a function each.
(module
  (import "command" "count" (func $command (result i64)))
  (import "reactor" "count" (func $reactor (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))

  ;; 11, 11, …
  (func (export "command") (result i32)
    (call $output_decimal (call $command))
    (i32.const 0))
  ;; 101, 102, …
  (func (export "reactor") (result i32)
    (call $output_decimal (call $reactor))
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
