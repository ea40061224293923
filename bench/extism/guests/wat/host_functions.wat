;; A hundred calls of a host function: with a number and a number back, and with two bytes and the same bytes back.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "free" (func $free (param i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/user" "tick" (func $tick (param i64) (result i64)))
  (import "extism:host/user" "host_reflect" (func $host_reflect (param i64) (result i64)))

  (func $output_number (param $number i32)
    (local $block i64)
    (local.set $block (call $alloc (i64.const 1)))
    (call $store_u8 (local.get $block) (local.get $number))
    (call $output_set (local.get $block) (i64.const 1)))

  (func (export "numbers") (result i32)
    (local $i i64)
    (loop $more
      (local.set $i (call $tick (local.get $i)))
      (br_if $more (i64.lt_u (local.get $i) (i64.const 100))))
    (call $output_number (i32.wrap_i64 (local.get $i)))
    (i32.const 0))

  (func (export "bytes") (result i32)
    (local $i i32) (local $block i64) (local $answer i64)
    (local.set $block (call $alloc (i64.const 2)))
    (call $store_u8 (local.get $block) (i32.const 104))
    (call $store_u8 (i64.add (local.get $block) (i64.const 1)) (i32.const 105))
    (loop $more
      (local.set $answer (call $host_reflect (local.get $block)))
      (if (i64.ne (call $length (local.get $answer)) (i64.const 2)) (then (unreachable)))
      (call $free (local.get $answer))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 100))))
    (call $output_number (local.get $i))
    (i32.const 0)))
