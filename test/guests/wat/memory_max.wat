;; A memory of 17 pages (64 KiB each) at first, of which a limit may allow less, and which grows when it is used.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (memory 17)

  ;; Grows by as many pages as the input would fill three times, and touches the last byte; out: the size in pages, 23 for an
  ;; input of 128 KiB.
  (func (export "grow") (result i32)
    (drop
      (memory.grow
        (i32.div_u
          (i32.add (i32.mul (i32.wrap_i64 (call $input_length)) (i32.const 3)) (i32.const 65535))
          (i32.const 65536))))
    (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 1))
    (call $output_decimal (i64.extend_i32_u (memory.size)))
    (i32.const 0))
  (func (export "noop") (result i32) (i32.const 0))

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
