;; A function that is none of Extism's: such a plugin needs a newer host.
(module
  (import "extism:host/env" "no_such_function" (func $unknown (param i64) (result i64)))
  (func (export "noop") (result i32) (i32.const 0)))
