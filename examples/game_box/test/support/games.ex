defmodule GameBox.TestGames do
  @moduledoc "Games for tests, in WebAssembly's text format."

  # A counter that all viewers see. It is kept in the variable "n". An event's name says what it does: it counts, traps,
  # loops, or is refused.
  @counter ~S|
    (module
      (import "extism:host/env" "input_length" (func $length (result i64)))
      (import "extism:host/env" "input_load_u8" (func $input (param i64) (result i32)))
      (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
      (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
      (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "error_set" (func $error (param i64)))
      (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
      (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
      (memory 1)
      (data (i32.const 0) "n")
      (data (i32.const 16) "{\"min_players\":1,\"max_players\":3}")
      (data (i32.const 64) "{\"title\":\"Counter\",\"description\":\"Counts.\"}")
      (data (i32.const 128) "<p id=\"n\">")
      (data (i32.const 144) "</p><button phx-click=\"count\">Count</button><button phx-click=\"trap\">Trap</button><button phx-click=\"loop\">Loop</button><button phx-click=\"bad!\">Refuse</button>")
      (data (i32.const 400) "{\"version\":")
      (data (i32.const 416) "}")
      (data (i32.const 420) "not now")
      (data (i32.const 430) "trap")
      (data (i32.const 440) "loop")
      (data (i32.const 450) "bad!")
      (global $end (mut i64) (i64.const 0))

      ;; A string of this memory, in the host's.
      (func $text (param $at i32) (param $size i32) (result i64) (local $to i64) (local $i i32)
        (local.set $to (call $alloc (i64.extend_i32_u (local.get $size))))
        (loop $next
          (if (i32.lt_u (local.get $i) (local.get $size)) (then
            (call $store (i64.add (local.get $to) (i64.extend_i32_u (local.get $i)))
                         (i32.load8_u (i32.add (local.get $at) (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next))))
        (local.get $to))

      ;; Whether the input has the four letters at this place of the memory.
      (func $said (param $word i32) (result i32) (local $at i64)
        (loop $next
          (if (i64.gt_u (i64.add (local.get $at) (i64.const 4)) (call $length)) (then (return (i32.const 0))))
          (if (i32.and
                (i32.and (i32.eq (call $input (local.get $at)) (i32.load8_u (local.get $word)))
                         (i32.eq (call $input (i64.add (local.get $at) (i64.const 1))) (i32.load8_u (i32.add (local.get $word) (i32.const 1)))))
                (i32.and (i32.eq (call $input (i64.add (local.get $at) (i64.const 2))) (i32.load8_u (i32.add (local.get $word) (i32.const 2))))
                         (i32.eq (call $input (i64.add (local.get $at) (i64.const 3))) (i32.load8_u (i32.add (local.get $word) (i32.const 3))))))
            (then (return (i32.const 1))))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br $next))
        (unreachable))

      (func $n (result i32) (local $kept i64)
        (local.set $kept (call $var_get (call $text (i32.const 0) (i32.const 1))))
        (if (result i32) (i64.eqz (local.get $kept)) (then (i32.const 48)) (else (call $load (local.get $kept)))))

      (func $keep (param $n i32) (local $value i64)
        (local.set $value (call $alloc (i64.const 1)))
        (call $store (local.get $value) (local.get $n))
        (call $var_set (call $text (i32.const 0) (i32.const 1)) (local.get $value)))

      ;; Two strings with the digit between.
      (func $around (param $at i32) (param $size i32) (param $then i32) (param $more i32)
        (local $bytes i32)
        (memory.copy (i32.const 1000) (local.get $at) (local.get $size))
        (i32.store8 (i32.add (i32.const 1000) (local.get $size)) (call $n))
        (memory.copy (i32.add (i32.const 1001) (local.get $size)) (local.get $then) (local.get $more))
        (local.set $bytes (i32.add (i32.add (local.get $size) (i32.const 1)) (local.get $more)))
        (call $output (call $text (i32.const 1000) (local.get $bytes)) (i64.extend_i32_u (local.get $bytes))))

      (func (export "get_constraints") (call $output (call $text (i32.const 16) (i32.const 33)) (i64.const 33)))
      (func (export "describe") (call $output (call $text (i32.const 64) (i32.const 43)) (i64.const 43)))
      (func (export "init_game") (call $keep (i32.const 48)))
      (func (export "render") (call $around (i32.const 128) (i32.const 10) (i32.const 144) (i32.const 158)))
      (func (export "handle_event") (result i32)
        (if (call $said (i32.const 430)) (then unreachable))
        (if (call $said (i32.const 440)) (then (loop $for_ever (br $for_ever))))
        (if (call $said (i32.const 450)) (then
          (call $error (call $text (i32.const 420) (i32.const 7)))
          (return (i32.const 1))))
        (call $keep (i32.add (call $n) (i32.const 1)))
        (call $around (i32.const 400) (i32.const 11) (i32.const 416) (i32.const 1))
        (i32.const 0)))
  |

  @doc "Returns the counter's text."
  def counter, do: @counter

  @doc "Returns a counter that differs from others by the text of a comment."
  def counter(comment), do: ";; #{comment}\n" <> @counter

  @doc "Puts a counter into the gallery, and returns the game."
  def add!(title \\ "Counter #{System.unique_integer([:positive])}") do
    bytes = counter(title)
    {:ok, found} = GameBox.Gallery.Check.run(bytes)
    owner = "owner #{title}"
    {:ok, game} = GameBox.Gallery.add(bytes, found, %{"title" => title}, owner)
    game
  end
end
