;; To be linked with the name `even`, together with `odd`: each imports a function of the other.  step(n) is 2 * step(n - 1) + 1,
;; where the other module works out step(n - 1), and step(0) is 0.
(module
  (import "odd" "step" (func $other (param i64) (result i64)))

  (func (export "step") (param $n i64) (result i64)
    (if (i64.eqz (local.get $n)) (then (return (i64.const 0))))
    (i64.add
      (i64.mul (i64.const 2) (call $other (i64.sub (local.get $n) (i64.const 1))))
      (i64.const 1))))
