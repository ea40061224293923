;; What the plugin of every language does, in WebAssembly text: the whole of what a plugin and its host say to each other, with
;; nothing between.  A handle is the address of a block in the host's memory; this module's own one has only texts.
(module
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "free" (func $free (param i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error_set (param i64)))
  (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
  (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
  (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
  (import "extism:host/env" "http_request" (func $http_request (param i64 i64) (result i64)))
  (import "extism:host/env" "http_status_code" (func $http_status_code (result i32)))
  (import "extism:host/env" "http_headers" (func $http_headers (result i64)))
  (import "extism:host/env" "log_trace" (func $log_trace (param i64)))
  (import "extism:host/env" "log_debug" (func $log_debug (param i64)))
  (import "extism:host/env" "log_info" (func $log_info (param i64)))
  (import "extism:host/env" "log_warn" (func $log_warn (param i64)))
  (import "extism:host/env" "log_error" (func $log_error (param i64)))
  (import "extism:host/env" "get_log_level" (func $get_log_level (result i32)))
  (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))

  (memory 1)
  (data (i32.const 0) "coded")
  (data (i32.const 8) "expected key=value")
  (data (i32.const 32) "total")
  (data (i32.const 40) "{\"count\":")
  (data (i32.const 56) ",\"total\":")
  (data (i32.const 72) ",\"vowels\":\"aeiouAEIOU\"}")
  (global $calls (mut i64) (i64.const 0))

  ;; ---- Bytes ----

  (func (export "echo") (result i32)
    (call $output (call $input))
    (i32.const 0))

  ;; As many bytes `x` as the input says.
  (func (export "big_output") (result i32)
    (local $block i64) (local $i i64) (local $length i64)
    (local.set $length (call $decimal_input))
    (local.set $block (call $alloc (local.get $length)))
    (block $done
      (loop $byte
        (br_if $done (i64.ge_u (local.get $i) (local.get $length)))
        (call $store_u8 (i64.add (local.get $block) (local.get $i)) (i32.const 120))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $byte)))
    (call $output (local.get $block))
    (i32.const 0))

  ;; Extism's usual example.
  (func (export "count_vowels") (result i32)
    (local $i i64) (local $count i64) (local $total i64) (local $kept i64)
    (block $done
      (loop $letter
        (br_if $done (i64.ge_u (local.get $i) (call $input_length)))
        (if (call $is_vowel (call $input_load_u8 (local.get $i)))
          (then (local.set $count (i64.add (local.get $count) (i64.const 1)))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $letter)))

    ;; The variable `total`, four bytes, outlives the call.
    (local.set $kept (call $var_get (call $text (i32.const 32) (i32.const 5))))
    (if (i64.eq (call $length (local.get $kept)) (i64.const 4))
      (then (local.set $total (call $load_u32 (local.get $kept)))))
    (call $free (local.get $kept))
    (local.set $total (i64.add (local.get $total) (local.get $count)))
    (local.set $kept (call $alloc (i64.const 4)))
    (call $store_u32 (local.get $kept) (local.get $total))
    (call $var_set (call $text (i32.const 32) (i32.const 5)) (local.get $kept))

    (call $begin_output)
    (call $append_text (i32.const 40) (i32.const 9))
    (call $append_decimal (local.get $count))
    (call $append_text (i32.const 56) (i32.const 9))
    (call $append_decimal (local.get $total))
    (call $append_text (i32.const 72) (i32.const 23))
    (call $end_output)
    (i32.const 0))

  ;; One bit for each of the letters @ to _: A, E, I, O and U.  The small letters have the same five low bits.
  (func $is_vowel (param $letter i32) (result i32)
    (i32.and
      (i32.eq (i32.and (local.get $letter) (i32.const 0xc0)) (i32.const 0x40))
      (i32.shr_u (i32.const 0x00208222) (i32.and (local.get $letter) (i32.const 0x1f)))))

  ;; A global lives as long as the instance.
  (func (export "counter") (result i32)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (call $output_decimal (global.get $calls))
    (i32.const 0))

  ;; ---- The host's services ----

  ;; A handle goes in, a handle comes out.
  (func (export "greet") (result i32)
    (call $output (call $greet (call $input)))
    (i32.const 0))

  (func (export "config_value") (result i32)
    (call $output (call $config_get (call $input)))
    (i32.const 0))

  ;; In: key=value.
  (func (export "var_set") (result i32)
    (local $mark i64)
    (local.set $mark (call $find (i32.const 61)))
    (if (i64.eq (local.get $mark) (call $input_length))
      (then
        (call $error_set (call $text (i32.const 8) (i32.const 18)))
        (return (i32.const -1))))
    (call $var_set (call $before (local.get $mark)) (call $after (local.get $mark)))
    (i32.const 0))
  (func (export "var_get") (result i32)
    (call $output (call $var_get (call $input)))
    (i32.const 0))
  (func (export "var_delete") (result i32)
    (call $var_set (call $input) (i64.const 0))
    (i32.const 0))

  (func (export "log_all") (result i32)
    (call $log_trace (call $input))
    (call $log_debug (call $input))
    (call $log_info (call $input))
    (call $log_warn (call $input))
    (call $log_error (call $input))
    (i32.const 0))
  (func (export "log_level") (result i32)
    (call $output_decimal (i64.extend_i32_u (call $get_log_level)))
    (i32.const 0))

  ;; In: a request in JSON; then, after a newline, the body.
  (func $send (result i64)
    (local $mark i64)
    (local.set $mark (call $find (i32.const 10)))
    (call $http_request (call $before (local.get $mark)) (call $after (local.get $mark))))
  (func (export "http_body") (result i32)
    (call $output (call $send))
    (i32.const 0))
  (func (export "http_status") (result i32)
    (call $free (call $send))
    (call $output_decimal (i64.extend_i32_u (call $http_status_code)))
    (i32.const 0))
  (func (export "http_headers") (result i32)
    (call $free (call $send))
    (call $output (call $http_headers))
    (i32.const 0))

  ;; ---- Failures ----

  (func (export "fail") (result i32)
    (call $error_set (call $input))
    (i32.const -1))
  (func (export "fail_with_code") (result i32)
    (call $error_set (call $text (i32.const 0) (i32.const 5)))
    (i32.wrap_i64 (call $decimal_input)))
  (func (export "unreachable") (result i32)
    (unreachable))

  ;; ---- Blocks ----

  ;; The input, in a block that may be given away.
  (func $input (result i64)
    (call $copy (call $input_offset) (call $input_length)))
  ;; What of the input is before the byte at $mark, and what after it; 0 for nothing.
  (func $before (param $mark i64) (result i64)
    (call $copy (call $input_offset) (local.get $mark)))
  (func $after (param $mark i64) (result i64)
    (if (i64.ge_u (local.get $mark) (call $input_length)) (then (return (i64.const 0))))
    (call $copy
      (i64.add (call $input_offset) (i64.add (local.get $mark) (i64.const 1)))
      (i64.sub (i64.sub (call $input_length) (local.get $mark)) (i64.const 1))))
  ;; Where in the input $byte is first, or its length.
  (func $find (param $byte i32) (result i64)
    (local $i i64)
    (block $found
      (loop $next
        (br_if $found (i64.ge_u (local.get $i) (call $input_length)))
        (br_if $found (i32.eq (call $input_load_u8 (local.get $i)) (local.get $byte)))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $next)))
    (local.get $i))

  ;; A new block with $length bytes from $from on: eight at a time, then the rest.
  (func $copy (param $from i64) (param $length i64) (result i64)
    (local $to i64) (local $i i64)
    (local.set $to (call $alloc (local.get $length)))
    (block $rest
      (loop $word
        (br_if $rest (i64.gt_u (i64.add (local.get $i) (i64.const 8)) (local.get $length)))
        (call $store_u64
          (i64.add (local.get $to) (local.get $i))
          (call $load_u64 (i64.add (local.get $from) (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 8)))
        (br $word)))
    (block $done
      (loop $byte
        (br_if $done (i64.ge_u (local.get $i) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $to) (local.get $i))
          (call $load_u8 (i64.add (local.get $from) (local.get $i))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $byte)))
    (local.get $to))

  ;; A new block with the $length bytes at $at of this module's memory.
  (func $text (param $at i32) (param $length i32) (result i64)
    (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
    (loop $byte
      (call $store_u8
        (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (i32.add (local.get $at) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $i) (local.get $length))))
    (local.get $block))

  ;; Four bytes, little-endian.
  (func $load_u32 (param $at i64) (result i64)
    (i64.or
      (i64.or
        (i64.extend_i32_u (call $load_u8 (local.get $at)))
        (i64.shl (i64.extend_i32_u (call $load_u8 (i64.add (local.get $at) (i64.const 1)))) (i64.const 8)))
      (i64.or
        (i64.shl (i64.extend_i32_u (call $load_u8 (i64.add (local.get $at) (i64.const 2)))) (i64.const 16))
        (i64.shl (i64.extend_i32_u (call $load_u8 (i64.add (local.get $at) (i64.const 3)))) (i64.const 24)))))
  (func $store_u32 (param $at i64) (param $n i64)
    (local $end i64)
    (local.set $end (i64.add (local.get $at) (i64.const 4)))
    (loop $byte
      (call $store_u8 (local.get $at) (i32.wrap_i64 (local.get $n)))
      (local.set $n (i64.shr_u (local.get $n) (i64.const 8)))
      (local.set $at (i64.add (local.get $at) (i64.const 1)))
      (br_if $byte (i64.lt_u (local.get $at) (local.get $end)))))

  ;; The number in the input, which may begin with a minus sign.
  (func $decimal_input (result i64)
    (local $i i64) (local $n i64) (local $digit i64)
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $i) (call $input_length)))
        (local.set $digit (i64.sub (i64.extend_i32_u (call $input_load_u8 (local.get $i))) (i64.const 48)))
        (if (i64.le_u (local.get $digit) (i64.const 9))
          (then (local.set $n (i64.add (i64.mul (local.get $n) (i64.const 10)) (local.get $digit)))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $next)))
    (if (i32.eq (call $input_load_u8 (i64.const 0)) (i32.const 45))
      (then (return (i64.sub (i64.const 0) (local.get $n)))))
    (local.get $n))

  ;; ---- Output ----

  ;; A block as the output; none for 0.
  (func $output (param $block i64)
    (call $output_set (local.get $block) (call $length (local.get $block))))

  (func $output_decimal (param $n i64)
    (call $begin_output)
    (call $append_decimal (local.get $n))
    (call $end_output))

  ;; A text of at most 100 bytes, made piece by piece.
  (global $start (mut i64) (i64.const 0))
  (global $end (mut i64) (i64.const 0))
  (func $begin_output
    (global.set $start (call $alloc (i64.const 100)))
    (global.set $end (global.get $start)))
  (func $end_output
    (call $output_set (global.get $start) (i64.sub (global.get $end) (global.get $start))))
  (func $append (param $byte i32)
    (call $store_u8 (global.get $end) (local.get $byte))
    (global.set $end (i64.add (global.get $end) (i64.const 1))))
  (func $append_text (param $at i32) (param $length i32)
    (loop $byte
      (call $append (i32.load8_u (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (br_if $byte (local.get $length))))
  (func $append_decimal (param $n i64)
    (if (i64.ge_u (local.get $n) (i64.const 10))
      (then (call $append_decimal (i64.div_u (local.get $n) (i64.const 10)))))
    (call $append (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))))
