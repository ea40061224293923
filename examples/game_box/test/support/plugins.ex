defmodule GameBox.TestPlugins do
  @moduledoc "Plugins whose functions are those of a test."

  import ExUnit.Callbacks

  alias Vitrine.HostFunction

  @wat ~S|
    (module
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/user" "render" (func $render (param i64) (result i64)))
      (import "extism:host/user" "handle_event" (func $handle_event (param i64) (result i64)))
      (func $answer (param $text i64)
        (call $output (local.get $text) (call $length (local.get $text))))
      (func (export "render") (call $answer (call $render (call $input))))
      (func (export "handle_event") (call $answer (call $handle_event (call $input)))))
  |

  @doc "Starts a server whose plugin renders and handles events by these functions."
  def plugin!(render, handle_event \\ fn _ -> %{} end) do
    functions = [
      HostFunction.new("render", [:json], :binary, render),
      HostFunction.new("handle_event", [:json], :json, handle_event)
    ]

    start_supervised!({Vitrine.Server, source: @wat, host_functions: functions}, id: make_ref())
  end

  @doc "Starts a server whose plugin shows a number in `b`, and adds one to it by its `button`."
  def counter! do
    count = :counters.new(1, [])

    render = fn input ->
      n = :counters.get(count, 1)
      # The shape changes with each third number.
      more = if rem(n, 3) == 2, do: "<em>third</em>", else: ""

      ~s|<p>#{input["player_id"]} sees <b class="n">#{n}</b></p>#{more}<button phx-click="add" phx-value-by="1">Add</button>|
    end

    plugin!(render, fn _ ->
      :counters.add(count, 1, 1)
      %{"version" => :counters.get(count, 1)}
    end)
  end
end
