# Throughput and latency against the number of concurrent callers: `mix run bench/scale.exs`.

Code.require_file("support.exs", __DIR__)

defmodule Bench.Scale do
  @callers [1, 2, 4, 16, 64, 256, 1024]
  @calls 40_960

  def run do
    Bench.environment()
    options = [source: Bench.guest("c"), host_functions: %{"greet" => & &1, "tick" => & &1}]
    {:ok, pool} = Vitrine.Pool.start_link(options)
    {:ok, server} = Vitrine.Server.start_link(options)
    {:ok, compiled} = Vitrine.compile(options[:source], Keyword.delete(options, :source))

    kinds = [
      {"a plugin for each caller", fn -> elem(Vitrine.new(compiled), 1) end},
      {"Vitrine.Pool", fn -> pool end},
      {"Vitrine.Server", fn -> server end}
    ]

    rows = for callers <- @callers, {name, callable} <- kinds, do: row(name, callers, callable)
    Bench.record("scale", rows)
    IO.puts("\nEcho of 2 bytes")

    for row <- rows do
      IO.puts(
        "  #{String.pad_trailing(row.name, 28)}#{row.callers} callers: #{row.per_second} calls/s, " <>
          "median #{row.p50_us} µs, p99 #{row.p99_us} µs, p99.9 #{row.p999_us} µs"
      )
    end

    plot(rows, kinds, :per_second, "Calls in a second", "calls/s", :linear)
    plot(rows, kinds, :p99_us, "Latency of a call, 99th percentile", "µs", :log)
  end

  defp plot(rows, kinds, measure, title, unit, scale) do
    series =
      for {name, _} <- kinds do
        {name, for(%{name: ^name} = row <- rows, do: {row.callers, row[measure]})}
      end

    Bench.Plot.lines("scale-#{measure}", title, {"callers", :log}, {unit, scale}, series)
  end

  defp row(name, callers, callable) do
    share = div(@calls, callers)

    tasks =
      for _ <- 1..callers do
        callable = callable.()

        Task.async(fn ->
          {:ok, _} = Vitrine.call(callable, "echo", "hi", timeout: 60_000)

          receive do
            :go -> calls(callable, share, [])
          end
        end)
      end

    Process.sleep(100)
    start = System.monotonic_time(:nanosecond)
    for task <- tasks, do: send(task.pid, :go)
    times = tasks |> Task.await_many(:infinity) |> Enum.concat() |> Enum.sort()
    took = System.monotonic_time(:nanosecond) - start

    at = fn per_mille ->
      Float.round(Enum.at(times, div(length(times) * per_mille, 1000)) / 1000, 1)
    end

    %{
      name: name,
      callers: callers,
      per_second: round(length(times) / took * 1.0e9),
      p50_us: at.(500),
      p99_us: at.(990),
      p999_us: at.(999)
    }
  end

  defp calls(_callable, 0, times), do: times

  defp calls(callable, left, times) do
    start = System.monotonic_time(:nanosecond)
    {:ok, "hi"} = Vitrine.call(callable, "echo", "hi", timeout: 60_000)
    calls(callable, left - 1, [System.monotonic_time(:nanosecond) - start | times])
  end
end

Bench.Scale.run()
