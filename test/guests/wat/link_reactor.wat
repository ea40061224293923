;; To be linked: a library that is a reactor.  It has one instance, whose `_initialize` runs once, so that `count` is 101, 102, …
(module
  (global $calls (mut i64) (i64.const 0))

  (func (export "_initialize") (global.set $calls (i64.add (global.get $calls) (i64.const 100))))
  (func (export "count") (result i64)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (global.get $calls)))
