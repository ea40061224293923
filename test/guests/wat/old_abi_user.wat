;; As `old_abi`: before 1.0, `env` was the namespace of the host's user too.
(module
  (import "env" "greet" (func $greet (param i64) (result i64)))
  (import "env" "extism_input_length" (func $input_length (result i64)))
  (import "env" "extism_input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "env" "extism_alloc" (func $alloc (param i64) (result i64)))
  (import "env" "extism_length" (func $length (param i64) (result i64)))
  (import "env" "extism_store_u8" (func $store_u8 (param i64 i32)))
  (import "env" "extism_output_set" (func $output_set (param i64 i64)))

  ;; The input, greeted.
  (func (export "greet") (result i32)
    (local $block i64) (local $i i64)
    (local.set $block (call $alloc (call $input_length)))
    (block $done
      (loop $byte
        (br_if $done (i64.ge_u (local.get $i) (call $input_length)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $i))
          (call $input_load_u8 (local.get $i)))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $byte)))
    (local.set $block (call $greet (local.get $block)))
    (call $output_set (local.get $block) (call $length (local.get $block)))
    (i32.const 0)))
