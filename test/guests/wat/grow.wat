;; Memory growth.  The two that end output what memory.grow returned: the size before, in pages, or -1 when it was refused.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (memory (export "memory") 1)

  ;; By as many pages as the input says, in decimal.
  (func (export "grow") (result i32)
    (call $grow (call $decimal_input)))
  ;; By nearly 4 GiB at once.
  (func (export "grow_huge") (result i32)
    (call $grow (i32.const 65535)))
  ;; Page by page, without end, even when refused.
  (func (export "grow_forever") (result i32)
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (br $again))
    (unreachable))

  (func $grow (param $pages i32) (result i32)
    (local $before i32)
    (local.set $before (memory.grow (local.get $pages)))
    (if (i32.eq (local.get $before) (i32.const -1))
      (then (call $output_minus_1))
      (else (call $output_decimal (i64.extend_i32_u (local.get $before)))))
    (i32.const 0))

  (func $decimal_input (result i32)
    (local $at i64) (local $value i32)
    (loop $digit
      (if (i64.lt_u (local.get $at) (call $input_length))
        (then
          (local.set $value
            (i32.add
              (i32.mul (local.get $value) (i32.const 10))
              (i32.sub (call $input_load_u8 (local.get $at)) (i32.const 48))))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br $digit))))
    (local.get $value))

  (func $output_minus_1
    (local $block i64)
    (local.set $block (call $alloc (i64.const 2)))
    (call $store_u8 (local.get $block) (i32.const 45))
    (call $store_u8 (i64.add (local.get $block) (i64.const 1)) (i32.const 49))
    (call $output_set (local.get $block) (i64.const 2)))

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
