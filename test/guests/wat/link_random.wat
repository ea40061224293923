;; To be linked with the name `wasi_snapshot_preview1`: replaces `random_get`, and nothing else of WASI.  All that it gives are
;; fours.  It finds its caller's memory because both take it from `shared`.
(module
  (import "shared" "memory" (memory 1))

  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (memory.fill (local.get $at) (i32.const 4) (local.get $length))
    (i32.const 0)))
