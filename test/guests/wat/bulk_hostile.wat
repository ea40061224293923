;; Bulk instructions over 1 GiB: each runs for a long time without reaching a point at which most hosts can interrupt.
(module
  (memory 16384)

  (func (export "fill_once") (result i32)
    (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 0x40000000))
    (i32.const 0))
  (func (export "fill_forever") (result i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 0x40000000))
      (br $again))
    (unreachable))
  ;; The upper half over the lower half.
  (func (export "copy_forever") (result i32)
    (loop $again
      (memory.copy (i32.const 0) (i32.const 0x20000000) (i32.const 0x20000000))
      (br $again))
    (unreachable)))
