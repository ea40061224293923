;; The traps of call_indirect.
(module
  (type $code (func (result i32)))
  (table 3 funcref)
  (elem (i32.const 0) $takes_i64)
  (func $takes_i64 (param i64) (result i32) (i32.const 0))

  ;; Behind the table's end.
  (func (export "undefined_element") (result i32)
    (call_indirect (type $code) (i32.const 3)))
  ;; In the table, but null.
  (func (export "uninitialized_element") (result i32)
    (call_indirect (type $code) (i32.const 1)))
  ;; A function of another type.
  (func (export "indirect_type_mismatch") (result i32)
    (call_indirect (type $code) (i32.const 0))))
