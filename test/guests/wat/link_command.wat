;; To be linked: a library that is a command, since it exports `_start`.  Each call of one of its functions makes a fresh
;; instance, whose start function runs, so that `count` is always 11.  Nobody calls `_start`; it would trap.
(module
  (global $calls (mut i64) (i64.const 0))

  (start $begin)
  (func $begin (global.set $calls (i64.const 10)))
  (func (export "_start") (unreachable))
  (func (export "count") (result i64)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (global.get $calls)))
