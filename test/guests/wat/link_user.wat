;; To be linked with the name `extism:host/user`: replaces the host function `greet`, and no other one.  It answers with the name
;; in capital letters, in the same block.
(module
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))

  (func (export "greet") (param $name i64) (result i64)
    (local $at i64) (local $end i64) (local $letter i32)
    (local.set $at (local.get $name))
    (local.set $end (i64.add (local.get $name) (call $length (local.get $name))))
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $at) (local.get $end)))
        (local.set $letter (call $load_u8 (local.get $at)))
        (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 26))
          (then (call $store_u8 (local.get $at) (i32.sub (local.get $letter) (i32.const 32)))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $next)))
    (local.get $name)))
