defmodule Vitrine.Stage do
  @moduledoc """
  A plugin for tests of what is shown of one: real WebAssembly, whose `render` and `handle_event` ask
  functions of the test what to answer.
  """

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
      (func (export "handle_event") (call $answer (call $handle_event (call $input))))
      (func (export "trap") unreachable)
      (func (export "loop") (loop (br 0))))
  |

  @doc "Its text."
  def wat, do: @wat

  @doc """
  A supervised server with this plugin. `render` gets the decoded input and answers HTML,
  `handle_event` one and answers a term for JSON.
  """
  def start!(render, handle_event \\ fn _input -> %{} end, options \\ []) do
    functions = [
      HostFunction.new("render", [:json], :binary, render),
      HostFunction.new("handle_event", [:json], :json, handle_event)
    ]

    start_supervised!(
      {Vitrine.Server, [source: @wat, host_functions: functions] ++ options},
      id: make_ref()
    )
  end
end
