# Measures the memory of idle instances: `mix run bench/density.exs [--instances 50000]`. They are of a small plugin by
# the Rust PDK, each called once, in both layouts of memory. Also measures 10 000 servers and pools that nobody uses.

Code.require_file("support.exs", __DIR__)

defmodule Bench.Density do
  # The default layout ends where the system allows no more mappings.
  @steps [1_000, 2_000, 5_000, 10_000, 20_000, 50_000]
  @processes [1_000, 10_000]

  def run(arguments) do
    {options, []} =
      OptionParser.parse!(arguments, strict: [instances: :integer, part: :string, file: :string])

    case options[:part] do
      nil -> whole(options[:instances] || 50_000)
      part -> File.write!(options[:file], :erlang.term_to_binary(part(part, options[:instances])))
    end
  end

  defp whole(most) do
    Bench.environment()
    rows = Enum.flat_map(["fast", "dense"], &alone(&1, most))
    Bench.record("density", rows)
    IO.puts("\nInstances of rust_minimal, each called once")
    print(rows)

    for {measure, title, unit} <- [
          {:resident_kib, "Resident memory of an idle instance", "KiB"},
          {:start_us, "Time to make an instance", "µs"}
        ] do
      series = for layout <- [:fast, :dense], do: {"#{layout}", series(rows, layout, measure)}
      Bench.Plot.lines("density-#{measure}", title, {"instances", :log}, {unit, :linear}, series)
    end

    rows = for kind <- ["server", "pool"], count <- @processes, row <- alone(kind, count), do: row
    Bench.record("density-processes", rows)
    IO.puts("\nServers and pools of rust_minimal that nobody uses (a pool has no instance then)")
    print(rows)
  end

  # In an operating system's process of its own: memory that was used before is used again, and
  # does not show.
  defp alone(part, count) do
    file = Bench.result(".part")
    options = ["--part", part, "--instances", "#{count}", "--file", file]
    {_, 0} = System.cmd("mix", ["run", __ENV__.file | options], into: IO.stream())
    rows = file |> File.read!() |> :erlang.binary_to_term()
    File.rm!(file)
    rows
  end

  defp part("server", count), do: [processes(:server, count)]
  defp part("pool", count), do: [processes(:pool, count)]
  defp part(layout, most), do: instances(String.to_existing_atom(layout), most)

  defp instances(layout, most) do
    {:ok, compiled} =
      Vitrine.compile(Bench.guest("rust_minimal"), memory_layout: layout, timeout: 60_000)

    # The first instance makes the things that all share.
    {:ok, first} = Vitrine.new(compiled)
    {:ok, "hi"} = Vitrine.call(first, "echo", "hi")
    :ok = Vitrine.close(first)
    steps = [0 | Enum.filter(@steps, &(&1 <= most))]
    base = {Bench.resident(), Bench.mappings()}

    steps
    |> Enum.zip(tl(steps))
    |> Enum.reduce_while({[], []}, fn step, {all, rows} ->
      case step(compiled, layout, step, all, base) do
        {:error, error} -> full(layout, length(all), error, rows)
        {all, row} -> {:cont, {all, [row | rows]}}
      end
    end)
    |> elem(1)
    |> Enum.reverse()
  end

  defp step(compiled, layout, {from, to}, all, {resident, mappings}) do
    {all, times, error} = more(compiled, to - from, all, [])
    check(all)

    if error do
      {:error, error}
    else
      {all,
       %{
         layout: layout,
         instances: to,
         resident_kib: Float.round((Bench.resident() - resident) / to / 1024, 1),
         mappings: Float.round((Bench.mappings() - mappings) / to, 2),
         start_us: round(Bench.median(times)),
         start_p99_us: round(Bench.percentile(times, 99))
       }}
    end
  end

  defp more(_compiled, 0, all, times), do: {all, times, nil}

  defp more(compiled, count, all, times) do
    start = System.monotonic_time(:nanosecond)

    case Vitrine.new(compiled) do
      {:ok, plugin} ->
        time = (System.monotonic_time(:nanosecond) - start) / 1000
        {:ok, "hi"} = Vitrine.call(plugin, "echo", "hi")
        more(compiled, count - 1, [plugin | all], [time | times])

      {:error, error} ->
        {all, times, error}
    end
  end

  # Some of them anew, wherever they are.
  defp check(all) do
    for plugin <- Enum.take_random(all, 100) do
      input = :crypto.strong_rand_bytes(100)
      {:ok, ^input} = Vitrine.call(plugin, "echo", input)
    end
  end

  defp full(layout, count, error, rows) do
    IO.puts("\nlayout: #{layout} ended at #{count} instances, #{error.reason}: #{error.message}")
    {:halt, {[], rows}}
  end

  defp processes(kind, count) do
    {:ok, compiled} = Vitrine.compile(Bench.guest("rust_minimal"), memory_layout: :dense)
    module = if kind == :server, do: Vitrine.Server, else: Vitrine.Pool
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)

    start = fn ->
      {:ok, _} = DynamicSupervisor.start_child(supervisor, {module, source: compiled})
    end

    start.()
    settle()
    {resident, beam} = {Bench.resident(), :erlang.memory(:total)}
    took = Bench.elapsed(fn -> for _ <- 1..count, do: start.() end)
    settle()

    %{
      kind: kind,
      count: count,
      resident_kib: Float.round((Bench.resident() - resident) / count / 1024, 1),
      beam_kib: Float.round((:erlang.memory(:total) - beam) / count / 1024, 1),
      start_us: round(took / count)
    }
  end

  # Until pools hibernate, and what a start leaves is collected.
  defp settle do
    Process.sleep(2_000)
    for pid <- Process.list(), do: :erlang.garbage_collect(pid)
    Process.sleep(500)
  end

  defp series(rows, layout, measure),
    do: for(%{layout: ^layout} = row <- rows, do: {row.instances, row[measure]})

  defp print(rows), do: for(row <- rows, do: IO.puts("  " <> line(row)))

  defp line(row), do: Enum.map_join(Bench.columns(row), "  ", fn {key, v} -> "#{key} #{v}" end)
end

Bench.Density.run(System.argv())
