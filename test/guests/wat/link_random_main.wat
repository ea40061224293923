;; Needs WASI, of which a module may replace `random_get`: `link_random` does.  Its memory is that of `link_shared`,
;; exported here too, for WASI.
(module
  (import "shared" "memory" (memory 1))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (export "memory" (memory 0))

  ;; Eight random bytes.
  (func (export "random") (result i32)
    (if (call $random_get (i32.const 16) (i32.const 8)) (then (return (i32.const 1))))
    (call $output (i32.const 16))
    (i32.const 0))
  ;; The time: nanoseconds since 1970, eight bytes, little-endian.
  (func (export "now") (result i32)
    (if (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 32)) (then (return (i32.const 1))))
    (call $output (i32.const 32))
    (i32.const 0))

  ;; Outputs the eight bytes at $at.
  (func $output (param $at i32)
    (local $block i64)
    (local.set $block (call $alloc (i64.const 8)))
    (call $store_u64 (local.get $block) (i64.load (local.get $at)))
    (call $output_set (local.get $block) (i64.const 8))))
