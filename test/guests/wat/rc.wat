;; Return codes, and exports of other types than () -> i32.
(module
  (func (export "rc_0") (result i32) (i32.const 0))
  (func (export "rc_1") (result i32) (i32.const 1))
  (func (export "rc_42") (result i32) (i32.const 42))
  (func (export "rc_minus_1") (result i32) (i32.const -1))

  (func (export "no_result"))
  (func (export "i64_result") (result i64) (i64.const 42))
  (func (export "two_results") (result i32 i32) (i32.const 0) (i32.const 0))
  (func (export "takes_params") (param i32) (result i32) (local.get 0))

  ;; Not functions, although they are exports.
  (memory (export "memory") 1)
  (global (export "global") i32 (i32.const 0)))
