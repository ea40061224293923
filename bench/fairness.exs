# Measures what hostile plugins cost everybody else: `mix run bench/fairness.exs`.

Code.require_file("support.exs", __DIR__)
Code.require_file("empty.exs", __DIR__)

defmodule Bench.Fairness do
  @spawned "spawn and reply"
  @echoed "2-byte echo of another plugin"
  @made "the same of a fresh instance, for each call"
  @dirty "an empty dirty NIF of another library"
  @collected "a collection of 100 MB"

  # Turns of a loop that are some milliseconds of work.
  @turns 10_000_000

  def run do
    Bench.environment()
    report("an idle machine", echo: true)
    dirty()
    loops(100)
    crowd(400)
    hostile(20)
    payloads(4, 100_000_000)
    makers(20)
    sleepers(1_000)
    rows = Enum.reverse(Process.get(:rows))
    Bench.record("fairness", rows)

    for {name, file} <- [{@spawned, "spawn"}, {@echoed, "echo"}, {@made, "fresh"}] do
      worst = for %{name: ^name} = row <- rows, do: {row.situation, row.p99_us}
      Bench.Plot.bars("fairness-#{file}", "#{name}, 99th percentile", {"µs, log", :log}, worst)
    end
  end

  defp loops(count) do
    plugins = for _ <- 1..count, do: new!(Bench.wat("spin"))
    callers = for plugin <- plugins, do: forever(fn -> spin(plugin, :infinity) end)
    Process.sleep(500)
    report("#{count} plugins in endless loops", echo: true)

    killed = for pid <- callers, do: kill(pid)
    line("Process.exit(pid, :kill) to the process's end", killed)

    ended =
      for _ <- 1..20 do
        plugin = hd(plugins)
        task = Task.async(fn -> spin(plugin, :infinity) end)
        Process.sleep(5)
        Bench.elapsed(fn -> Task.shutdown(task, :brutal_kill) end) + until_free(plugin)
      end

    line("Task.shutdown(:brutal_kill) to the plugin's end", ended)

    # All wait for the dirty schedulers at once: how late is the latest?
    late =
      plugins
      |> Enum.map(fn plugin ->
        Task.async(fn -> Bench.elapsed(fn -> spin(plugin, 500) end) end)
      end)
      |> Task.await_many(60_000)
      |> Enum.map(&(&1 - 500_000))

    line("how late a timeout of 500 ms is noticed", late)
  end

  # The BEAM has one queue for all that is dirty: what do others notice that stand in it?
  defp crowd(count) do
    plugins = for _ <- 1..count, do: new!(Bench.wat("spin"))
    callers = for plugin <- plugins, do: forever(fn -> spin(plugin, :infinity) end)
    Process.sleep(500)
    title("#{count} plugins in endless loops")
    dirty()
    killed = for pid <- callers, do: kill(pid)
    line("Process.exit(pid, :kill) to the process's end", killed)
    work(count)
  end

  defp dirty do
    line(@dirty, times(&Bench.Empty.empty_dirty/0))
    heap = Enum.to_list(1..6_000_000)
    line(@collected, for(_ <- 1..20, do: Bench.elapsed(&:erlang.garbage_collect/0)))
    6_000_000 = length(heap)
  end

  # Measures the cost of taking turns: so much work one after the other, and at once.
  defp work(count) do
    text =
      "(module (func (export \"count\") (local $i i32) (loop $again " <>
        "(local.set $i (i32.add (local.get $i) (i32.const 1))) " <>
        "(br_if $again (i32.lt_u (local.get $i) (i32.const #{@turns}))))))"

    plugins = for _ <- 1..count, do: new!(text)
    count = fn plugin -> {:ok, ""} = Vitrine.call(plugin, "count", "", timeout: :infinity) end
    Enum.each(plugins, count)
    lanes = :erlang.system_info(:dirty_cpu_schedulers_online)

    few =
      Bench.elapsed(fn ->
        parallel(Enum.chunk_every(plugins, ceil(length(plugins) / lanes)), &Enum.each(&1, count))
      end)

    many = Bench.elapsed(fn -> parallel(plugins, count) end)
    line("all of their work, in as many processes as schedulers", [few])
    line("the same in a process for each", [many])
  end

  defp parallel(items, work) do
    items |> Enum.map(&Task.async(fn -> work.(&1) end)) |> Task.await_many(600_000)
  end

  defp hostile(count) do
    # Each call anew, as a pool of attackers would. Copying ends with the timeout.
    half = div(count, 2)
    fill = forever(half, Bench.wat("bulk_hostile"), "fill_once")
    copy = forever(half, Bench.wat("bulk_hostile"), "copy_forever")
    report("#{half} plugins that fill a gigabyte, each call anew, #{half} that copy", echo: true)
    Enum.each(fill ++ copy, &kill/1)
  end

  defp payloads(count, bytes) do
    input = :binary.copy("x", bytes)

    callers =
      for _ <- 1..count do
        plugin = new!(Bench.guest("rust_minimal"))
        forever(fn -> {:ok, _} = Vitrine.call(plugin, "echo", input, timeout: 60_000) end)
      end

    Process.sleep(500)
    report("#{count} plugins that are passed #{div(bytes, 1_000_000)} MB in and out", echo: true)
    Enum.each(callers, &kill/1)
  end

  defp makers(count) do
    {:ok, compiled} = Vitrine.compile(Bench.guest("rust_minimal"))
    makers = for _ <- 1..count, do: forever(fn -> Vitrine.run!(compiled, "echo", "hi") end)
    Process.sleep(500)
    report("#{count} processes that call fresh instances without a pause", echo: true)
    Enum.each(makers, &kill/1)
  end

  defp sleepers(count) do
    sleep = fn _ ->
      Process.sleep(50)
      "x"
    end

    functions = %{"greet" => sleep}
    plugins = for _ <- 1..count, do: new!(Bench.guest("zig"), host_functions: functions)

    all =
      Bench.elapsed(fn ->
        plugins
        |> Enum.map(fn plugin -> Task.async(fn -> Vitrine.call!(plugin, "greet") end) end)
        |> Task.await_many(60_000)
      end)

    title("#{count} processes, each in a host function that sleeps 50 ms")
    line("until the last is done", [all])
  end

  defp forever(count, path, function) do
    for _ <- 1..count do
      plugin = new!(path)

      forever(fn ->
        Vitrine.call(plugin, function, "", timeout: 60_000)
        Vitrine.reset(plugin)
      end)
    end
  end

  defp forever(function), do: spawn(fn -> repeat(function) end)

  defp repeat(function) do
    function.()
    repeat(function)
  end

  defp spin(plugin, timeout), do: Vitrine.call(plugin, "spin", "", timeout: timeout)

  defp kill(pid) do
    monitor = Process.monitor(pid)

    Bench.elapsed(fn ->
      Process.exit(pid, :kill)

      receive do
        {:DOWN, ^monitor, _, _, _} -> :ok
      end
    end)
  end

  # A plugin whose caller is dead is busy until the last slice of its call has ended.
  defp until_free(plugin), do: Bench.elapsed(fn -> wait(plugin) end)

  defp wait(plugin) do
    if Vitrine.reset(plugin) != :ok, do: wait(plugin)
  end

  # Sets the title of the figures that follow.
  defp title(title) do
    Process.put(:situation, title)
    IO.puts("\n" <> title)
  end

  defp report(title, options) do
    title(title)
    line(@spawned, Bench.latencies(2_000))

    if options[:echo] do
      {:ok, compiled} = Vitrine.compile(Bench.guest("rust_minimal"))
      {:ok, echo} = Vitrine.new(compiled)
      line(@echoed, times(fn -> {:ok, "hi"} = Vitrine.call(echo, "echo", "hi") end))
      line(@made, times(fn -> {:ok, "hi"} = Vitrine.run(compiled, "echo", "hi") end))
    end
  end

  defp times(work) do
    for _ <- 1..1_000 do
      Process.sleep(1)
      Bench.elapsed(work)
    end
  end

  defp line(name, times) do
    [median, p99, worst] =
      for time <- [Bench.median(times), Bench.percentile(times, 99), Enum.max(times)],
          do: round(time)

    row = %{
      situation: Process.get(:situation),
      name: name,
      median_us: median,
      p99_us: p99,
      worst_us: worst
    }

    Process.put(:rows, [row | Process.get(:rows, [])])

    figures =
      for {label, time} <- [{"median", median}, {"p99", p99}, {"worst", worst}] do
        String.pad_leading("#{label} #{time} µs", 20)
      end

    IO.puts(["  ", String.pad_trailing(name, 48) | figures])
  end

  defp new!(source, options \\ []) do
    # Some of them have a gigabyte.
    options = Keyword.put_new(options, :memory, max_pages: 16_384)
    {:ok, plugin} = Vitrine.new(source, options)
    plugin
  end
end

Bench.Fairness.run()
