;; Upstream's allocations: 10 000 blocks of 10, 11, 12, … bytes, of which each third is freed at once. The output is
;; their number.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "free" (func $free (param i64)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (func (export "allocations") (result i32)
    (local $i i64) (local $block i64)
    (loop $more
      (local.set $block (call $alloc (i64.add (local.get $i) (i64.const 10))))
      (if (i64.eqz (local.get $block)) (then (unreachable)))
      (if (i64.eqz (i64.rem_u (local.get $i) (i64.const 3)))
        (then (call $free (local.get $block))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $more (i64.ne (local.get $i) (i64.const 10000))))
    (local.set $block (call $alloc (i64.const 8)))
    (call $store_u64 (local.get $block) (local.get $i))
    (call $output_set (local.get $block) (i64.const 8))
    (i32.const 0)))
