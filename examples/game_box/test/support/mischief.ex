defmodule GameBox.Mischief do
  @moduledoc """
  A plugin that replaces a game in the middle of a round. It renders what it is given, and an event whose name contains
  "trap" or "loop" does that. The game's variables pass through it untouched.
  """

  # Searches four letters in the input, like the test's counter.
  @wat ~S|
    (module
      (import "extism:host/env" "input_length" (func $length (result i64)))
      (import "extism:host/env" "input_load_u8" (func $input (param i64) (result i32)))
      (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
      (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (memory 2)
      (data (i32.const 0) "traploop")
      (data (i32.const 16) "HTML")
      (func $said (param $word i32) (result i32) (local $at i64) (local $i i32)
        (block $no
          (loop $place
            (br_if $no (i64.gt_u (i64.add (local.get $at) (i64.const 4)) (call $length)))
            (local.set $i (i32.const 0))
            (block $other
              (loop $letter
                (br_if $other (i32.ne
                  (call $input (i64.add (local.get $at) (i64.extend_i32_u (local.get $i))))
                  (i32.load8_u (i32.add (local.get $word) (local.get $i)))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $letter (i32.lt_u (local.get $i) (i32.const 4))))
              (return (i32.const 1)))
            (local.set $at (i64.add (local.get $at) (i64.const 1)))
            (br $place)))
        (i32.const 0))
      (func (export "init_game"))
      (func (export "handle_event")
        (if (call $said (i32.const 0)) (then unreachable))
        (if (call $said (i32.const 4)) (then (loop $for_ever (br $for_ever)))))
      (func (export "render") (local $to i64) (local $i i32)
        (local.set $to (call $alloc (i64.const SIZE)))
        (loop $next
          (call $store (i64.add (local.get $to) (i64.extend_i32_u (local.get $i)))
                       (i32.load8_u (i32.add (i32.const 16) (local.get $i))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $i) (i32.const SIZE))))
        (call $output (local.get $to) (i64.const SIZE))))
  |

  # Attempts of a plugin to run a script, to leave its element, or to press the host's buttons. If an attempt succeeded, it
  # would set `window.pwned`, or show something of this class outside of the board.
  @hostile """
  <p class="calm">quite harmless</p>
  <script>window.pwned = "script"</script>
  <img src="x" onerror="window.pwned = 'onerror'">
  <svg onload="window.pwned = 'svg'"><animate onbegin="window.pwned = 'animate'" attributeName="x" dur="1s"/>
    <script>window.pwned = "svg script"</script><foreignObject><iframe srcdoc="<script>parent.pwned='frame'</script>"></iframe></foreignObject></svg>
  <a class="bait" href="javascript:window.pwned='href'">click</a>
  <a class="bait" href=" java&#10;script:window.pwned='spaced'">click</a>
  <a class="bait" href="data:text/html,<script>parent.pwned=1</script>">click</a>
  <iframe srcdoc="<script>parent.pwned = 'srcdoc'</script>"></iframe>
  <object data="javascript:window.pwned='object'"></object><embed src="javascript:window.pwned='embed'">
  <form action="javascript:window.pwned='form'"><button class="bait" formaction="javascript:window.pwned='formaction'">send</button></form>
  <details open ontoggle="window.pwned = 'toggle'"><summary class="bait">more</summary></details>
  <input autofocus onfocus="window.pwned = 'focus'">
  <math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.pwned='mxss'&gt;">
  </style></mglyph></table></mtext></math>
  <noscript><p title="</noscript><img src=x onerror=window.pwned='noscript'>"></noscript>
  <template><script>window.pwned = "template"</script></template>
  <base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/">
  <link rel="stylesheet" href="https://evil.example/x.css">
  <style>body { display: none !important } .top { background: red !important } @import "https://evil.example/y.css";</style>
  <div style="position: fixed; inset: 0; z-index: 99999; background: red" class="overlay">over everything</div>
  <div style="background: url(https://evil.example/pixel.png); width: expression(alert(1))">pixel</div>
  <button class="bait" phx-click="finish">host event</button>
  <button class="bait" phx-click="vitrine:other:finish">other namespace</button>
  <button class="bait" phx-click='[["push",{"event":"finish"}]]'>host event by a command</button>
  <button class="bait" phx-click='[["exec",{"attr":"data-x"}]]' data-x='[["push",{"event":"finish"}]]'>by another one</button>
  <div phx-mounted='[["push",{"event":"finish"}]]' phx-remove='[["push",{"event":"finish"}]]'></div>
  <div phx-hook="Copy" id="copy" data-text="stolen" class="bait">hook</div>
  <div id="main" class="clobber"></div><form id="location"><input name="href"></form><img name="getElementById">
  <div phx-window-keydown="finish" phx-viewport-top="finish" phx-connected='[["push",{"event":"finish"}]]'></div>
  <a class="bait" data-phx-link="redirect" data-phx-link-state="push" href="/">leave</a>
  <div data-phx-session="x" data-phx-main id="phx-evil"></div><div data-phx-component="1"></div>
  <button class="bait" phx-click="finish" phx-target="body">with a target</button>
  <button phx-click="trap">Trap</button><button phx-click="loop">Loop</button>
  </div></div></div></main></body><h1 class="escaped">outside</h1><div>
  """

  @doc "Returns the hostile page."
  def hostile, do: @hostile

  @doc "Returns the plugin that renders the hostile page."
  def plugin(html \\ @hostile) do
    data = for <<byte <- html>>, into: "", do: "\\" <> Base.encode16(<<byte>>)
    @wat |> String.replace("HTML", data) |> String.replace("SIZE", "#{byte_size(html)}")
  end
end
