;; As `old_abi`: what the kernel of version 0.5, the last before 1.0, offered besides.
(module
  (import "env" "extism_input_offset" (func $input_offset (result i64)))
  (import "env" "extism_input_length" (func $input_length (result i64)))
  (import "env" "extism_input_set" (func $input_set (param i64 i64)))
  (import "env" "extism_output_set" (func $output_set (param i64 i64)))
  (import "env" "extism_output_offset" (func $output_offset (result i64)))
  (import "env" "extism_output_length" (func $output_length (result i64)))
  (import "env" "extism_error_set" (func $error_set (param i64)))
  (import "env" "extism_error_get" (func $error_get (result i64)))
  (import "env" "extism_memory_bytes" (func $memory_bytes (result i64)))

  ;; The input, from where the host put it.
  (func (export "echo") (result i32)
    (call $output_set (call $input_offset) (call $input_length))
    (i32.const 0))
  ;; The input without its first byte: the input is set to that, and is the output then.
  (func (export "tail") (result i32)
    (call $input_set
      (i64.add (call $input_offset) (i64.const 1))
      (i64.sub (call $input_length) (i64.const 1)))
    (call $output_set (call $input_offset) (call $input_length))
    (i32.const 0))
  ;; Return code 0 when what was set is there again, and the memory is larger than nothing.
  (func (export "getters") (result i32)
    (call $output_set (call $input_offset) (call $input_length))
    (call $error_set (call $input_offset))
    (if (i64.ne (call $output_offset) (call $input_offset)) (then (return (i32.const 1))))
    (if (i64.ne (call $output_length) (call $input_length)) (then (return (i32.const 2))))
    (if (i64.ne (call $error_get) (call $input_offset)) (then (return (i32.const 3))))
    (if (i64.eqz (call $memory_bytes)) (then (return (i32.const 4))))
    (call $error_set (i64.const 0))
    (call $error_get)
    (i32.wrap_i64)))
