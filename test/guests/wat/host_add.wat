;; Host functions of another namespace, `env`, with plain numbers of each type.  Each export outputs a sum as the host gave it:
;; 4 or 8 bytes, little-endian.
(module
  (import "env" "add" (func $add (param i64 i64) (result i64)))
  (import "env" "add_i32" (func $add_i32 (param i32 i32) (result i32)))
  (import "env" "add_f32" (func $add_f32 (param f32 f32) (result f32)))
  (import "env" "add_f64" (func $add_f64 (param f64 f64) (result f64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))

  ;; -4999999999
  (func (export "add_i64") (result i32)
    (call $output (call $add (i64.const -5000000000) (i64.const 1)) (i64.const 8)))
  ;; -5
  (func (export "add_i32") (result i32)
    (call $output (i64.extend_i32_u (call $add_i32 (i32.const -7) (i32.const 2))) (i64.const 4)))
  ;; 3.75
  (func (export "add_f32") (result i32)
    (call $output
      (i64.extend_i32_u (i32.reinterpret_f32 (call $add_f32 (f32.const 1.5) (f32.const 2.25))))
      (i64.const 4)))
  ;; 0.30000000000000004
  (func (export "add_f64") (result i32)
    (call $output (i64.reinterpret_f64 (call $add_f64 (f64.const 0.1) (f64.const 0.2))) (i64.const 8)))

  ;; Outputs the low $length bytes of $bits; returns the return code 0.
  (func $output (param $bits i64) (param $length i64) (result i32)
    (local $block i64)
    (local.set $block (call $alloc (i64.const 8)))
    (call $store_u64 (local.get $block) (local.get $bits))
    (call $output_set (local.get $block) (local.get $length))
    (i32.const 0)))
