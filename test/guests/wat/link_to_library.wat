;; A main module of which another one (`link_from_main`) imports a global and a function.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (global $total (export "total") (mut i64) (i64.const 0))
  (global $calls (mut i64) (i64.const 0))

  (func (export "count")
    (global.set $calls (i64.add (global.get $calls) (i64.const 1))))

  ;; 51: 10 * total + calls.  0 means that the library talked to another instance than the one that is called.
  (func (export "value") (result i32)
    (call $output_decimal
      (i64.add (i64.mul (i64.const 10) (global.get $total)) (global.get $calls)))
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
