;; `_initialize` runs 100,000 rounds of eight instructions: fuel of its own.
(module
  (func (export "_initialize")
    (local $rounds i64)
    (local.set $rounds (i64.const 100000))
    (loop $round
      (local.set $rounds (i64.sub (local.get $rounds) (i64.const 1)))
      (br_if $round (i64.ne (local.get $rounds) (i64.const 0)))))
  (func (export "noop") (result i32) (i32.const 0)))
