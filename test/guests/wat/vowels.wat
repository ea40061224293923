;; Extism's usual example in its oldest form: `count_vowels` outputs `{"count":3}`.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory 1)
  (data (i32.const 0) "{\"count\":")
  ;; One bit for each of the letters @ to _: A, E, I, O and U.  The small letters have the same five low bits.
  (global $vowels i32 (i32.const 0x00208222))

  (func (export "count_vowels") (result i32)
    (local $i i64) (local $letter i32) (local $count i64)
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $i) (call $input_length)))
        (local.set $letter (call $input_load_u8 (local.get $i)))
        (if (i32.eq (i32.and (local.get $letter) (i32.const 0xc0)) (i32.const 0x40))
          (then
            (local.set $count
              (i64.add
                (local.get $count)
                (i64.extend_i32_u
                  (i32.and
                    (i32.shr_u (global.get $vowels) (i32.and (local.get $letter) (i32.const 0x1f)))
                    (i32.const 1)))))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $next)))
    (call $output_json (local.get $count))
    (i32.const 0))

  ;; Writes from the end of a block to its beginning, and outputs what was written.
  (func $output_json (param $n i64)
    (local $end i64) (local $at i64) (local $i i32)
    (local.set $end (i64.add (call $alloc (i64.const 30)) (i64.const 30)))
    (local.set $at (i64.sub (local.get $end) (i64.const 1)))
    (call $store_u8 (local.get $at) (i32.const 125))
    (loop $digit
      (local.set $at (i64.sub (local.get $at) (i64.const 1)))
      (call $store_u8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (br_if $digit (i64.ne (local.get $n) (i64.const 0))))
    (local.set $i (i32.const 9))
    (loop $byte
      (local.set $at (i64.sub (local.get $at) (i64.const 1)))
      (local.set $i (i32.sub (local.get $i) (i32.const 1)))
      (call $store_u8 (local.get $at) (i32.load8_u (local.get $i)))
      (br_if $byte (local.get $i)))
    (call $output_set (local.get $at) (i64.sub (local.get $end) (local.get $at)))))
