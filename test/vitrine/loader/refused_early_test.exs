defmodule Vitrine.Loader.RefusedEarlyTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Telemetry

  setup do
    test = self()

    Telemetry.attach({__MODULE__, test}, fn event, _measurements, metadata ->
      if self() == test, do: send(test, {event, metadata})
    end)

    on_exit(fn -> Telemetry.detach({__MODULE__, test}) end)
  end

  describe "a plugin that cannot be linked is refused before anything is compiled:" do
    for {what, declared, options} <- [
          {"an unknown import", ~S|(import "env" "gone" (func))|, []},
          {"an import of another type", ~S|(import "extism:host/env" "free" (func))|, []},
          {"a memory", ~S|(import "env" "memory" (memory 1))|, []},
          {"a host function of another arity",
           ~S|(import "extism:host/user" "f" (func (param i64 i64)))|,
           [host_functions: %{"f" => &Function.identity/1}]},
          {"a broken contract", "", [requires: [exports: ["gone"]]]},
          {"a snapshot after a function that is not there", "", [snapshot: "gone"]},
          {"a snapshot of what changes tables",
           "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
           [snapshot: true]},
          {"too many memories", String.duplicate("(memory 0)", 16), []}
        ] do
      test what do
        text = "(module #{unquote(declared)} (func (param f64) (drop (local.get 0))))"
        options = unquote(Macro.escape(options))
        assert {:error, error} = Vitrine.new(text, options)
        assert error.reason in [:link, :contract, :function_not_found, :snapshot]
        refute_received {[:vitrine, :compile, :stop], _}
        {:ok, found} = Vitrine.inspect_plugin(text, options)
        assert [refused] = found.refused
        assert error.message =~ refused
      end
    end

    test "a library that lacks what the main module imports" do
      modules = [
        %{name: "lib", data: ~S|(module (func (export "greets")))|},
        %{name: "main", data: ~S|(module (import "lib" "greet" (func)))|}
      ]

      assert reason(Vitrine.new(%{wasm: modules})) == :link
      refute_received {[:vitrine, :compile, :stop], _}
    end
  end
end
