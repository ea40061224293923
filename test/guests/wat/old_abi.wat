;; A plugin for the hosts before 1.0: the host's functions are in `env`, and their names begin with `extism_`.  These 21 are all that
;; the PDKs 0.1 to 0.3 import.  What the host is given stays the plugin's: as those PDKs do, this frees a key, a value, a message
;; or a request itself, after the call; a host that has freed it already must not free something else then.
(module
  (import "env" "extism_input_length" (func $input_length (result i64)))
  (import "env" "extism_input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "env" "extism_input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "env" "extism_alloc" (func $alloc (param i64) (result i64)))
  (import "env" "extism_free" (func $free (param i64)))
  (import "env" "extism_length" (func $length (param i64) (result i64)))
  (import "env" "extism_load_u8" (func $load_u8 (param i64) (result i32)))
  (import "env" "extism_load_u64" (func $load_u64 (param i64) (result i64)))
  (import "env" "extism_store_u8" (func $store_u8 (param i64 i32)))
  (import "env" "extism_store_u64" (func $store_u64 (param i64 i64)))
  (import "env" "extism_output_set" (func $output_set (param i64 i64)))
  (import "env" "extism_error_set" (func $error_set (param i64)))
  (import "env" "extism_config_get" (func $config_get (param i64) (result i64)))
  (import "env" "extism_var_get" (func $var_get (param i64) (result i64)))
  (import "env" "extism_var_set" (func $var_set (param i64 i64)))
  (import "env" "extism_http_request" (func $http_request (param i64 i64) (result i64)))
  (import "env" "extism_http_status_code" (func $http_status_code (result i32)))
  (import "env" "extism_log_debug" (func $log_debug (param i64)))
  (import "env" "extism_log_info" (func $log_info (param i64)))
  (import "env" "extism_log_warn" (func $log_warn (param i64)))
  (import "env" "extism_log_error" (func $log_error (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "state")

  (func (export "echo") (result i32)
    (call $output (call $input))
    (i32.const 0))

  ;; Fails with the input as its message.
  (func (export "fail") (result i32)
    (call $error_set (call $input))
    (i32.const -1))

  ;; The value of the key in the input, or nothing.
  (func (export "config_value") (result i32)
    (local $key i64) (local $value i64)
    (local.set $key (call $input))
    (local.set $value (call $copy (call $config_get (local.get $key))))
    (call $free (local.get $key))
    (call $output (local.get $value))
    (i32.const 0))

  ;; The variable `state`: its value, or nothing.
  (func (export "var_get") (result i32)
    (local $key i64) (local $value i64)
    (local.set $key (call $state))
    (local.set $value (call $var_get (local.get $key)))
    (call $free (local.get $key))
    (call $output (call $copy (local.get $value)))
    (i32.const 0))
  ;; Sets it to the input; an empty input deletes it.
  (func (export "var_set") (result i32)
    (local $key i64) (local $value i64)
    (local.set $key (call $state))
    (local.set $value (call $input))
    (call $var_set (local.get $key) (local.get $value))
    (call $free (local.get $key))
    (call $free (local.get $value))
    (i32.const 0))

  ;; The input, at each of the four levels.
  (func (export "log_all") (result i32)
    (local $message i64)
    (local.set $message (call $input))
    (call $log_debug (local.get $message))
    (call $free (local.get $message))
    (local.set $message (call $input))
    (call $log_info (local.get $message))
    (call $free (local.get $message))
    (local.set $message (call $input))
    (call $log_warn (local.get $message))
    (call $free (local.get $message))
    (local.set $message (call $input))
    (call $log_error (local.get $message))
    (call $free (local.get $message))
    (i32.const 0))

  ;; The input is a request in JSON, without a body; out: the response's body.
  (func (export "http_get") (result i32)
    (local $request i64) (local $body i64)
    (local.set $request (call $input))
    (local.set $body (call $http_request (local.get $request) (i64.const 0)))
    (call $free (local.get $request))
    (call $output (local.get $body))
    (i32.const 0))
  ;; The same with the body `state`; the return code is the response's status less 200.
  (func (export "http_post") (result i32)
    (local $request i64) (local $body i64) (local $answer i64)
    (local.set $request (call $input))
    (local.set $body (call $state))
    (local.set $answer (call $http_request (local.get $request) (local.get $body)))
    (call $free (local.get $request))
    (call $free (local.get $body))
    (call $output (local.get $answer))
    (i32.sub (call $http_status_code) (i32.const 200)))

  ;; Not 0,0, which is no output.
  (func $output (param $block i64)
    (call $output_set
      (select (local.get $block) (i64.const 100) (i64.ne (local.get $block) (i64.const 0)))
      (call $length (local.get $block))))

  ;; A new block with the input.
  (func $input (result i64)
    (local $block i64) (local $i i64) (local $length i64)
    (local.set $length (call $input_length))
    (local.set $block (call $alloc (local.get $length)))
    (block $bytes
      (loop $word
        (br_if $bytes (i64.gt_u (i64.add (local.get $i) (i64.const 8)) (local.get $length)))
        (call $store_u64
          (i64.add (local.get $block) (local.get $i))
          (call $input_load_u64 (local.get $i)))
        (local.set $i (i64.add (local.get $i) (i64.const 8)))
        (br $word)))
    (block $done
      (loop $byte
        (br_if $done (i64.ge_u (local.get $i) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $i))
          (call $input_load_u8 (local.get $i)))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $byte)))
    (local.get $block))

  ;; A new block with what is in $from, which is freed.
  (func $copy (param $from i64) (result i64)
    (local $block i64) (local $i i64) (local $length i64)
    (local.set $length (call $length (local.get $from)))
    (local.set $block (call $alloc (local.get $length)))
    (block $bytes
      (loop $word
        (br_if $bytes (i64.gt_u (i64.add (local.get $i) (i64.const 8)) (local.get $length)))
        (call $store_u64
          (i64.add (local.get $block) (local.get $i))
          (call $load_u64 (i64.add (local.get $from) (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 8)))
        (br $word)))
    (block $done
      (loop $byte
        (br_if $done (i64.ge_u (local.get $i) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $i))
          (call $load_u8 (i64.add (local.get $from) (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $byte)))
    (call $free (local.get $from))
    (local.get $block))

  ;; A new block with the text `state`.
  (func $state (result i64)
    (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.const 5)))
    (loop $byte
      (call $store_u8
        (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $i) (i32.const 5))))
    (local.get $block)))
