;; One export for each trap that a single instruction can raise.
(module
  (memory 1)

  (func (export "unreachable") (result i32)
    (unreachable))
  (func (export "div_zero") (result i32)
    (i32.div_s (i32.const 1) (i32.const 0)))
  (func (export "int_overflow") (result i32)
    (i32.div_s (i32.const 0x80000000) (i32.const -1)))
  (func (export "out_of_bounds_load") (result i32)
    (i32.load (i32.const 65533)))
  (func (export "out_of_bounds_store") (result i32)
    (i32.store (i32.const -4) (i32.const 1))
    (i32.const 0))
  (func (export "bad_float_conversion") (result i32)
    (i32.trunc_f64_s (f64.const nan)))
  (func $deeper (export "stack_overflow") (result i32)
    (i32.add (call $deeper) (i32.const 1)))

  ;; A new page's first and last byte can be written; the one after them cannot.
  (func (export "grow_then_touch") (result i32)
    (local $start i32)
    (local.set $start (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
    (i32.store8 (local.get $start) (i32.const 1))
    (i32.store8 offset=65535 (local.get $start) (i32.const 1))
    (i32.store8 offset=65536 (local.get $start) (i32.const 1))
    (i32.const 0)))
