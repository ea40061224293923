;; The plugin of the guide "Writing plugins": `welcome` outputs "Welcome, NAME!", where NAME is what the host function
;; `full_name(i64) -> i64` makes of the input. An empty input is the error "no user was given", with the code 1.
(module
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error (param i64)))
  (import "extism:host/user" "full_name" (func $full_name (param i64) (result i64)))
  (memory 1)
  (data (i32.const 0) "Welcome, ")
  (data (i32.const 16) "no user was given")

  ;; Copies from the plugin's memory to the host's.
  (func $write (param $from i32) (param $count i32) (param $to i64)
    (local $i i32)
    (loop $next
      (call $store
        (i64.add (local.get $to) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (i32.add (local.get $from) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $count)))))

  (func (export "welcome") (result i32)
    (local $name i64) (local $count i64) (local $text i64) (local $i i64)
    (if (i64.eqz (call $length (call $input)))
      (then
        (local.set $text (call $alloc (i64.const 17)))
        (call $write (i32.const 16) (i32.const 17) (local.get $text))
        (call $error (local.get $text))
        (return (i32.const 1))))

    (local.set $name (call $full_name (call $input)))
    (local.set $count (call $length (local.get $name)))
    (local.set $text (call $alloc (i64.add (local.get $count) (i64.const 10))))
    (call $write (i32.const 0) (i32.const 9) (local.get $text))
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $i) (local.get $count)))
        (call $store
          (i64.add (i64.add (local.get $text) (i64.const 9)) (local.get $i))
          (call $load (i64.add (local.get $name) (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $next)))
    (call $store (i64.add (i64.add (local.get $text) (i64.const 9)) (local.get $count)) (i32.const 33))
    (call $output (local.get $text) (i64.add (local.get $count) (i64.const 10)))
    (i32.const 0)))
