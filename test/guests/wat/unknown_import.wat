;; A host function that nobody defines, in a namespace that nobody knows.
(module
  (import "nowhere" "nothing" (func $nothing))
  (func (export "noop") (result i32) (i32.const 0)))
