;; To be linked: a library that has a memory, a global and a table for others to import, and functions that look at them.
(module
  (memory (export "memory") 1)
  (global $total (export "total") (mut i64) (i64.const 0))
  (table (export "functions") 1 funcref)
  (type $number (func (result i64)))

  (func (export "load") (param $at i32) (result i64)
    (i64.load (local.get $at)))
  (func (export "read_total") (result i64)
    (global.get $total))
  ;; Calls the function that someone put into the table.
  (func (export "call") (result i64)
    (call_indirect (type $number) (i32.const 0))))
