# Measures what a pool costs, beside a plugin of one's own and a server: `mix run bench/pool.exs`.
# `--calls 10000000` also measures what so many calls leave in memory, and `--idle 10000` what so many
# pools take that nobody uses.

Code.require_file("support.exs", __DIR__)

defmodule Bench.Pool do
  # In a module, because what a script says outside of one is interpreted.

  @callers [1, 2, 4, 16, 256]
  @calls 40_960
  @rounds 5

  def run(arguments) do
    {options, []} = OptionParser.parse!(arguments, strict: [calls: :integer, idle: :integer])
    Bench.environment()
    throughput()
    if options[:calls], do: memory_of_calls(options[:calls])
    if options[:idle], do: memory_of_idle_pools(options[:idle])
  end

  defp throughput do
    source = [source: Bench.guest("c")] ++ functions()
    {:ok, pool} = Vitrine.Pool.start_link(source)
    {:ok, server} = Vitrine.Server.start_link(source)

    kinds = [
      {"a plugin for each caller", fn -> elem(Vitrine.new(Bench.guest("c"), functions()), 1) end},
      {"Vitrine.Server", fn -> server end},
      {"Vitrine.Pool", fn -> pool end}
    ]

    for callers <- @callers do
      results =
        for _ <- 1..@rounds, {name, callable} <- kinds, do: {name, time(callers, callable)}

      rows = for {name, _} <- kinds, do: {name, Bench.median(for {^name, t} <- results, do: t)}
      title = "Echo of 2 bytes, #{callers} callers: time by calls"
      Bench.table(title, rows, "a plugin for each caller")
    end
  end

  defp functions, do: [host_functions: %{"greet" => & &1, "tick" => & &1}]

  # Nanoseconds by call, of all callers together, each of which has made one before.
  defp time(callers, callable) do
    share = div(@calls, callers)

    tasks =
      for _ <- 1..callers do
        callable = callable.()

        Task.async(fn ->
          call(callable, 1)

          receive do
            :go -> call(callable, share)
          end
        end)
      end

    Process.sleep(50)

    microseconds =
      Bench.elapsed(fn ->
        for task <- tasks, do: send(task.pid, :go)
        Task.await_many(tasks, :infinity)
      end)

    microseconds * 1_000 / (share * callers)
  end

  defp memory_of_calls(calls) do
    {:ok, pool} = Vitrine.Pool.start_link([source: Bench.guest("c")] ++ functions())
    callers = 16
    share = div(calls, callers * 10)
    IO.puts("\nMemory while #{calls} calls are made by #{callers} callers, in MiB")

    for tenth <- 0..10 do
      if tenth > 0 do
        1..callers
        |> Enum.map(fn _ -> Task.async(fn -> call(pool, share) end) end)
        |> Task.await_many(:infinity)
      end

      IO.puts(
        "  #{tenth * 10} %: #{mib(resident())} resident, #{mib(:erlang.memory(:total))} of the BEAM"
      )
    end
  end

  defp call(_callable, 0), do: :ok

  defp call(callable, times) do
    {:ok, "hi"} = Vitrine.call(callable, "echo", "hi")
    call(callable, times - 1)
  end

  defp memory_of_idle_pools(count) do
    options = [source: Bench.guest("c"), size: 4] ++ functions()
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    {:ok, _} = DynamicSupervisor.start_child(supervisor, {Vitrine.Pool, options})
    settle()
    {resident, beam} = {resident(), :erlang.memory(:total)}

    took =
      Bench.elapsed(fn ->
        for _ <- 1..count do
          {:ok, _} = DynamicSupervisor.start_child(supervisor, {Vitrine.Pool, options})
        end
      end)

    settle()
    each = fn bytes -> :erlang.float_to_binary(bytes / count / 1024, decimals: 1) end

    IO.puts("""

    #{count} pools that nobody uses
      resident memory of each      #{each.(resident() - resident)} KiB
      of that, the BEAM's          #{each.(:erlang.memory(:total) - beam)} KiB
      started in                   #{round(took / count)} µs each\
    """)
  end

  # Until they hibernate, and what their start left is collected.
  defp settle do
    Process.sleep(2_000)
    for pid <- Process.list(), do: :erlang.garbage_collect(pid)
    Process.sleep(500)
  end

  defp resident do
    [_, pages | _] = "/proc/self/statm" |> File.read!() |> String.split()
    String.to_integer(pages) * 4096
  end

  defp mib(bytes), do: :erlang.float_to_binary(bytes / 1_048_576, decimals: 1)
end

Bench.Pool.run(System.argv())
