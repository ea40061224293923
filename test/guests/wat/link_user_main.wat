;; Calls two host functions, of which a module named `extism:host/user` may replace one: `link_user` does.
(module
  (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
  (import "extism:host/user" "tick" (func $tick (param i64) (result i64)))
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))

  ;; The input, greeted.
  (func (export "greet") (result i32)
    (local $greeting i64)
    (local.set $greeting (call $greet (call $input_offset)))
    (call $output_set (local.get $greeting) (call $length (local.get $greeting)))
    (i32.const 0))
  ;; tick(41)
  (func (export "tick") (result i32)
    (call $output_decimal (call $tick (i64.const 41)))
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
