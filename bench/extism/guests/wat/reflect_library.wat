;; What upstream links in the place of the host function: each word of the block is loaded and stored where it was.
(module
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))

  (func (export "host_reflect") (param $block i64) (result i64)
    (local $at i64) (local $end i64) (local $words_end i64)
    (local.set $at (local.get $block))
    (local.set $end (i64.add (local.get $block) (call $length (local.get $block))))
    (local.set $words_end (i64.sub (local.get $end) (i64.const 7)))
    (block $done
      (loop $word
        (br_if $done (i64.ge_s (local.get $at) (local.get $words_end)))
        (call $store_u64 (local.get $at) (call $load_u64 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $word)))
    (block $done
      (loop $byte
        (br_if $done (i64.ge_u (local.get $at) (local.get $end)))
        (call $store_u8 (local.get $at) (call $load_u8 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $byte)))
    (local.get $block)))
