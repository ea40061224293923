;; The middle of the chain that begins with `link_chain_a`.
(module
  (import "c" "f" (func $f))
  (func (export "f") (call $f)))
