;; One of Extism's functions, but with another type: alloc is (i64) -> i64.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i32) (result i32)))
  (func (export "noop") (result i32) (i32.const 0)))
