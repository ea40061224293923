# Measures what a fresh instance for each call costs beside a call of one that is there, also where it begins
# with a snapshot, and what it costs to load a plugin that is compiled, on disk or neither:
# `mix run bench/instantiate.exs`.

Code.require_file("support.exs", __DIR__)

defmodule Bench.Instantiate do
  @empty ~S|(module (func (export "echo")))|

  def run do
    Bench.environment()
    options = [wasi: [stdout: :drop, stderr: :drop]]

    for {name, source, options} <- [
          {"an empty module", @empty, []},
          {"rust_minimal, of the Rust PDK", Bench.guest("rust_minimal"), []},
          {"c_wasi, of WASI and the C PDK", Bench.guest("c_wasi"), options}
        ] do
      {:ok, compiled} = Vitrine.compile(source, options)
      instances(name, compiled)
    end

    functions = [host_functions: %{"greet" => & &1, "tick" => & &1}]

    for {name, options} <- [{"javascript", functions}, {"go", options ++ functions}] do
      snapshots(name, options)
    end

    loads(File.read!(Bench.guest("go")))
  end

  # The work of an interpreter or a runtime at its start is not done again.
  defp snapshots(name, options) do
    options = [timeout: 60_000] ++ options
    {:ok, compiled} = Vitrine.compile(Bench.guest(name), options)
    {:ok, snapshot} = Vitrine.compile(Bench.guest(name), [snapshot: "echo"] ++ options)
    {:ok, plugin} = Vitrine.new(snapshot)

    cases = [
      {"a call of an instance that is there",
       fn -> {:ok, "hi"} = Vitrine.call(plugin, "echo", "hi") end},
      {"a call of a fresh instance of a snapshot",
       fn -> {:ok, "hi"} = Vitrine.run(snapshot, "echo", "hi") end},
      {"a call of a fresh instance", fn -> {:ok, "hi"} = Vitrine.run(compiled, "echo", "hi") end}
    ]

    times = for _ <- 1..5, {row, call} <- cases, do: {row, Bench.nanoseconds(call, 5, 20)}

    rows = for {row, _} <- cases, do: {row, Bench.median(for {^row, time} <- times, do: time)}
    Bench.table("#{name}, with a snapshot", rows, "a call of a fresh instance of a snapshot")
  end

  defp instances(name, compiled) do
    {:ok, plugin} = Vitrine.new(compiled)
    {:ok, pool} = Vitrine.Pool.start_link(source: compiled)
    {:ok, fresh_pool} = Vitrine.Pool.start_link(source: compiled, reset: true)
    {:ok, server} = Vitrine.Server.start_link(source: compiled)

    rows =
      Bench.side_by_side(
        [
          {"a call of an instance that is there",
           fn -> {:ok, _} = Vitrine.call(plugin, "echo", "hi") end},
          {"a call of a pool", fn -> {:ok, _} = Vitrine.call(pool, "echo", "hi") end},
          {"a call of a server", fn -> {:ok, _} = Vitrine.call(server, "echo", "hi") end},
          {"a call of a fresh instance",
           fn -> {:ok, _} = Vitrine.run(compiled, "echo", "hi") end},
          {"a call of a pool with reset: true",
           fn -> {:ok, _} = Vitrine.call(fresh_pool, "echo", "hi") end},
          {"a call after reset/1",
           fn ->
             :ok = Vitrine.reset(plugin)
             {:ok, _} = Vitrine.call(plugin, "echo", "hi")
           end}
        ],
        3,
        200
      )

    Bench.table(name, rows, "a call of an instance that is there")
    for process <- [pool, fresh_pool, server], do: GenServer.stop(process)
    loop = fn -> for _ <- 1..1000, do: {:ok, _} = Vitrine.run(compiled, "echo", "hi") end
    processes = System.schedulers_online()

    time =
      Bench.elapsed(fn ->
        1..processes |> Enum.map(fn _ -> Task.async(loop) end) |> Task.await_many(:infinity)
      end)

    IO.puts(
      "  fresh instances in #{processes} processes: #{round(processes * 1000 / time * 1.0e6)} a second"
    )
  end

  # Each round has another module, by a custom section: what is compiled stays in memory as long as
  # somebody has it.
  defp loads(bytes) do
    directory = Path.join(System.tmp_dir!(), "vitrine-bench-#{System.pid()}")
    Application.put_env(:vitrine, :cache_dir, directory)

    rows =
      for round <- 1..3, {name, time} <- rounds(bytes <> <<0, 10, 1, "x", round::64>>) do
        {name, time}
      end

    File.rm_rf!(directory)

    rows =
      for name <- [
            "in use elsewhere",
            "on disk",
            "cold, without a cache",
            "cold, and put into the cache"
          ] do
        {name, Bench.median(for {^name, time} <- rows, do: time)}
      end

    Bench.table("To compile and link go.wasm", rows, "in use elsewhere")
  end

  defp rounds(bytes) do
    cold = load(bytes, cache: false)
    written = load(bytes, [])
    disk = load(bytes, [])
    {:ok, compiled} = compile(bytes, [])
    warm = load(bytes, [])
    _ = compiled.name

    [
      {"in use elsewhere", warm},
      {"on disk", disk},
      {"cold, without a cache", cold},
      {"cold, and put into the cache", written}
    ]
  end

  # In a process of its own, with whose end the module is forgotten.
  defp load(bytes, options) do
    task =
      Task.async(fn -> Bench.elapsed(fn -> {:ok, _} = compile(bytes, options) end) * 1000 end)

    time = Task.await(task, :infinity)
    Process.sleep(300)
    time
  end

  defp compile(bytes, options),
    do:
      Vitrine.compile(
        bytes,
        [wasi: true, host_functions: %{"greet" => & &1, "tick" => & &1}] ++ options
      )
end

Bench.Instantiate.run()
