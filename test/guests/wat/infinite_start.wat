;; The start function never ends: a host must be able to interrupt the instantiation too.
(module
  (start $forever)
  (func $forever (loop $again (br $again)))
  (func (export "noop") (result i32) (i32.const 0)))
