;; Frees what it gave to the host, which has freed it: a bug of real PDKs (those before 1.0, and Go's 1.1.3).  It must do no harm,
;; so what the host answers must not be in the place of what it was given.
(module
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "free" (func $free (param i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
  (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
  (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
  (import "extism:host/env" "http_request" (func $http_request (param i64 i64) (result i64)))

  ;; In: a key; out: its value.
  (func (export "config_value") (result i32)
    (local $key i64)
    (local.set $key (call $input))
    (call $free_and_output (local.get $key) (call $config_get (local.get $key)))
    (i32.const 0))
  ;; Sets a variable, whose key is the input, to the input; out: its value.
  (func (export "var_value") (result i32)
    (local $key i64)
    (call $var_set (call $input) (call $input))
    (local.set $key (call $input))
    (call $free_and_output (local.get $key) (call $var_get (local.get $key)))
    (i32.const 0))
  ;; In: a request; out: the body of the response.
  (func (export "http_body") (result i32)
    (local $request i64)
    (local.set $request (call $input))
    (call $free_and_output (local.get $request) (call $http_request (local.get $request) (i64.const 0)))
    (i32.const 0))

  ;; Frees $given, fills a new block of the value's length with `x`, and outputs the value.
  (func $free_and_output (param $given i64) (param $value i64)
    (local $length i64) (local $at i64) (local $end i64)
    (local.set $length (call $length (local.get $value)))
    (call $free (local.get $given))
    (local.set $at (call $alloc (local.get $length)))
    (local.set $end (i64.add (local.get $at) (local.get $length)))
    (loop $byte
      (call $store_u8 (local.get $at) (i32.const 120))
      (local.set $at (i64.add (local.get $at) (i64.const 1)))
      (br_if $byte (i64.lt_u (local.get $at) (local.get $end))))
    (call $output_set (local.get $value) (local.get $length)))

  ;; A new block with the input.
  (func $input (result i64)
    (local $block i64) (local $i i64)
    (local.set $block (call $alloc (call $input_length)))
    (loop $byte
      (call $store_u8
        (i64.add (local.get $block) (local.get $i))
        (call $load_u8 (i64.add (call $input_offset) (local.get $i))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $byte (i64.lt_u (local.get $i) (call $input_length))))
    (local.get $block)))
