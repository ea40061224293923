;; The start function traps: `noop` can never be called.
(module
  (start $trap)
  (func $trap (unreachable))
  (func (export "noop") (result i32) (i32.const 0)))
