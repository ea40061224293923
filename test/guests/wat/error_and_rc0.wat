;; An error message, although the return code, 0, says that all is well: it is an error.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "error_set" (func $error_set (param i64)))
  (memory 1)
  (data (i32.const 0) "something is wrong")

  ;; Makes the $length bytes at 0 the error message.
  (func $set_error (param $length i32)
    (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
    (loop $byte
      (call $store_u8
        (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $i) (local.get $length))))
    (call $error_set (local.get $block)))

  (func (export "error_and_rc0") (result i32)
    (call $set_error (i32.const 18))
    (i32.const 0)))
