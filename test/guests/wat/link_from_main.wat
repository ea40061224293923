;; To be linked: a library that calls the main module.  Main is `link_to_library`, which does not import from it, so that there
;; is no cycle; this `_initialize` adds 5 to main's global and 1 to its counter.
(module
  (import "main" "total" (global $total (mut i64)))
  (import "main" "count" (func $count))

  (func (export "_initialize")
    (global.set $total (i64.add (global.get $total) (i64.const 5)))
    (call $count)))
