;; An endless loop without calls, and `noop`, to see that the instance (or another one) still works.
(module
  (func (export "spin") (result i32)
    (loop $again (br $again))
    (unreachable))
  (func (export "noop") (result i32) (i32.const 0)))
