;; Imports a function from `main`, the name that it has itself: cannot be linked.
(module
  (import "main" "f" (func $f))
  (func (export "f") (call $f))
  (func (export "noop") (result i32) (i32.const 0)))
