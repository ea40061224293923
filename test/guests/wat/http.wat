;; Makes HTTP requests.  `get` makes the request that is its input, as JSON; `post` the one in the first line of its input,
;; with the rest of it as the body.  Both output the body that comes back.  `status` and `headers` output what the host says
;; of the last response.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "http_request" (func $http_request (param i64 i64) (result i64)))
  (import "extism:host/env" "http_status_code" (func $http_status_code (result i32)))
  (import "extism:host/env" "http_headers" (func $http_headers (result i64)))

  (func (export "get")
    (call $output (call $http_request (call $input) (i64.const 0))))

  (func (export "post") (local $line i64)
    (block $found
      (loop $next
        (br_if $found (i32.eq (call $load_u8 (i64.add (call $input) (local.get $line))) (i32.const 10)))
        (local.set $line (i64.add (local.get $line) (i64.const 1)))
        (br_if $next (i64.lt_u (local.get $line) (call $input_length)))))
    (call $output (call $http_request
      (call $copy (call $input) (local.get $line))
      (call $copy
        (i64.add (call $input) (i64.add (local.get $line) (i64.const 1)))
        (i64.sub (call $input_length) (i64.add (local.get $line) (i64.const 1)))))))

  (func (export "status") (local $text i64) (local $code i32)
    (local.set $code (call $http_status_code))
    (local.set $text (call $alloc (i64.const 3)))
    (call $store_u8 (local.get $text) (i32.add (i32.const 48) (i32.div_u (local.get $code) (i32.const 100))))
    (call $store_u8 (i64.add (local.get $text) (i64.const 1))
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $code) (i32.const 10)) (i32.const 10))))
    (call $store_u8 (i64.add (local.get $text) (i64.const 2))
      (i32.add (i32.const 48) (i32.rem_u (local.get $code) (i32.const 10))))
    (call $output (local.get $text)))

  (func (export "headers") (call $output (call $http_headers)))

  (func $output (param $handle i64)
    (call $output_set (local.get $handle) (call $length (local.get $handle))))

  ;; A new block with these bytes.
  (func $copy (param $from i64) (param $length i64) (result i64) (local $to i64) (local $at i64)
    (local.set $to (call $alloc (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $at) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $to) (local.get $at))
          (call $load_u8 (i64.add (local.get $from) (local.get $at))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $next)))
    (local.get $to)))
