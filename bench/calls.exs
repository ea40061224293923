# Measures the cost of a call, beside the cost of what it replaces: `mix run bench/calls.exs`.

Code.require_file("support.exs", __DIR__)
Code.require_file("empty.exs", __DIR__)
Code.require_file("port.exs", __DIR__)

defmodule Bench.Calls do
  # In a module, because what a script says outside of one is interpreted.
  use GenServer

  # A guest that does nothing of its own: what is left is what a call costs.
  @echo """
  (module
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (func (export "echo") (call $output (call $input) (call $length))))
  """

  def run do
    Bench.environment()
    functions = [host_functions: %{"greet" => fn name -> name end, "tick" => & &1}]
    {:ok, bare} = Vitrine.new(@echo)
    {:ok, rust} = Vitrine.new(Bench.guest("rust_minimal"))
    {:ok, plugin} = Vitrine.new(Bench.guest("c"), functions)
    {:ok, dirty} = Vitrine.new(Bench.guest("c"), [scheduler: :dirty] ++ functions)
    {:ok, server} = Vitrine.Server.start_link([source: Bench.guest("c")] ++ functions)
    {:ok, genserver} = GenServer.start_link(__MODULE__, nil)

    rows =
      Bench.side_by_side([
        {"empty NIF", fn -> Bench.Empty.empty() end},
        {"empty dirty NIF", fn -> Bench.Empty.empty_dirty() end},
        {"GenServer.call", fn -> GenServer.call(genserver, "hi") end},
        {"echo of 2 bytes, without a PDK",
         fn -> {:ok, "hi"} = Vitrine.call(bare, "echo", "hi") end},
        {"echo of 2 bytes, C", fn -> {:ok, "hi"} = Vitrine.call(plugin, "echo", "hi") end},
        {"echo of 2 bytes, Rust", fn -> {:ok, "hi"} = Vitrine.call(rust, "echo", "hi") end},
        {"echo of 2 bytes, scheduler: :dirty",
         fn -> {:ok, "hi"} = Vitrine.call(dirty, "echo", "hi") end},
        {"call with a host function",
         fn -> {:ok, "hi"} = Vitrine.call(plugin, "greet", "hi") end},
        {"echo through Vitrine.Server",
         fn -> {:ok, "hi"} = Vitrine.call(server, "echo", "hi") end}
      ])

    # Afterwards: who waits for a program of the system wakes other threads of the BEAM, which the
    # dirty NIF would be measured with.
    port = Bench.Port.open()

    rows =
      rows ++
        Bench.side_by_side([
          {"a Port, a program in Rust", fn -> "hi" = Bench.Port.call(port, "hi") end}
        ])

    Bench.table("Beside an empty dirty NIF", rows, "empty dirty NIF")
    Bench.table("Beside a GenServer.call", rows, "GenServer.call")
    Bench.record("calls", for({name, time} <- rows, do: %{name: name, ns: round(time)}))
    Bench.Plot.bars("calls", "What a call costs", {"ns, log", :log}, rows)
  end

  def init(_), do: {:ok, nil}
  def handle_call(message, _from, state), do: {:reply, message, state}
end

Bench.Calls.run()
