;; Consumes as much fuel as it is told to.
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))

  ;; In: decimal N, at least 1.  Runs N rounds of eight instructions, of which a host may count each as one.
  (func (export "burn") (result i32)
    (local $rounds i64)
    (local.set $rounds (call $decimal_input))
    (loop $round
      (local.set $rounds (i64.sub (local.get $rounds) (i64.const 1)))
      (br_if $round (i64.ne (local.get $rounds) (i64.const 0))))
    (i32.const 0))
  (func (export "noop") (result i32) (i32.const 0))

  (func $decimal_input (result i64)
    (local $at i64) (local $n i64)
    (block $done
      (loop $digit
        (br_if $done (i64.ge_u (local.get $at) (call $input_length)))
        (local.set $n
          (i64.add
            (i64.mul (local.get $n) (i64.const 10))
            (i64.extend_i32_u (i32.sub (call $input_load_u8 (local.get $at)) (i32.const 48)))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $digit)))
    (local.get $n)))
