;; The beginning of a chain of three: this module imports from `b`, which imports from `c`, which imports what nobody has.
(module
  (import "b" "f" (func $f))
  (func (export "noop") (result i32) (call $f) (i32.const 0)))
