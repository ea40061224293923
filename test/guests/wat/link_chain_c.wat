;; The end of the chain that begins with `link_chain_a`: its import is missing.
(module
  (import "nowhere" "f" (func $f))
  (func (export "f") (call $f)))
