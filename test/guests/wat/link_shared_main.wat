;; The main module to the library `shared`: its memory, global and table are this module's too.
(module
  (import "shared" "memory" (memory 1))
  (import "shared" "total" (global $total (mut i64)))
  (import "shared" "functions" (table 1 funcref))
  (import "shared" "load" (func $load (param i32) (result i64)))
  (import "shared" "read_total" (func $read_total (result i64)))
  (import "shared" "call" (func $call (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (elem (i32.const 0) $answer)
  (data (i32.const 1000) "\d2\04")

  (func $answer (result i64) (i64.const 42))

  ;; 1234: of the data above, as the library reads it
  (func (export "memory") (result i32)
    (call $output_decimal (call $load (i32.const 1000)))
    (i32.const 0))
  ;; 7, 14, …: changed here, read there
  (func (export "global") (result i32)
    (global.set $total (i64.add (global.get $total) (i64.const 7)))
    (call $output_decimal (call $read_total))
    (i32.const 0))
  ;; 42: the library calls back
  (func (export "table") (result i32)
    (call $output_decimal (call $call))
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
