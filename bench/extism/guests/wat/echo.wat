;; Upstream's echo: the input into the guest's own memory, eight bytes at a time, and from there into the output.
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory (export "memory") 1)

  (func $make_room (param $length i64)
    (local $lacking i32)
    (local.set $lacking (i32.sub
      (i32.wrap_i64 (i64.shr_u (i64.add (local.get $length) (i64.const 65535)) (i64.const 16)))
      (memory.size)))
    (if (i32.gt_s (local.get $lacking) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $lacking)) (i32.const -1)) (then (unreachable))))))

  (func (export "echo") (result i32)
    (local $length i64) (local $words i64) (local $output i64) (local $i i64)
    (local.set $length (call $input_length))
    (local.set $words (i64.and (local.get $length) (i64.const -8)))
    (call $make_room (local.get $length))
    (block $loaded
      (loop $load
        (br_if $loaded (i64.ge_u (local.get $i) (local.get $words)))
        (i64.store (i32.wrap_i64 (local.get $i)) (call $input_load_u64 (local.get $i)))
        (local.set $i (i64.add (local.get $i) (i64.const 8)))
        (br $load)))
    (block $loaded
      (loop $load
        (br_if $loaded (i64.ge_u (local.get $i) (local.get $length)))
        (i32.store8 (i32.wrap_i64 (local.get $i)) (call $input_load_u8 (local.get $i)))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $load)))
    (local.set $output (call $alloc (local.get $length)))
    (call $output_set (local.get $output) (local.get $length))
    (local.set $i (i64.const 0))
    (block $stored
      (loop $store
        (br_if $stored (i64.ge_u (local.get $i) (local.get $words)))
        (call $store_u64
          (i64.add (local.get $output) (local.get $i))
          (i64.load (i32.wrap_i64 (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 8)))
        (br $store)))
    (block $stored
      (loop $store
        (br_if $stored (i64.ge_u (local.get $i) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $output) (local.get $i))
          (i32.load8_u (i32.wrap_i64 (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $store)))
    (i32.const 0)))
