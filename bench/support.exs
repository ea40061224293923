# The helpers that the benchmarks share: timing in batches, medians, a table of ratios, and files of results.

defmodule Bench do
  @results Path.expand("results", __DIR__)
  @guests Path.expand("../test/guests", __DIR__)

  def guest(name), do: Path.join([@guests, "wasm", name <> ".wasm"])
  def wat(name), do: Path.join([@guests, "wat", name <> ".wat"])

  @doc "Nanoseconds of one call of `function`: the median of batches, after a warm-up."
  def nanoseconds(function, batches \\ 51, batch \\ 2_000) do
    repeat(function, batch)

    times =
      for _ <- 1..batches do
        {microseconds, _} = :timer.tc(fn -> repeat(function, batch) end)
        microseconds * 1000 / batch
      end

    median(times)
  end

  @doc "Several measurements taken in turn, so that a machine that slows down slows all of them."
  def side_by_side(cases, rounds \\ 7, batch \\ 2_000) do
    results =
      for _ <- 1..rounds, {name, function} <- cases do
        {name, nanoseconds(function, 11, batch)}
      end

    for {name, _} <- cases do
      {name, median(for {^name, time} <- results, do: time)}
    end
  end

  def median(numbers), do: percentile(numbers, 50)

  def percentile(numbers, percent) do
    sorted = Enum.sort(numbers)
    Enum.at(sorted, min(div(length(sorted) * percent, 100), length(sorted) - 1))
  end

  @doc "Microseconds that `function` takes, once."
  def elapsed(function) do
    start = System.monotonic_time(:nanosecond)
    function.()
    (System.monotonic_time(:nanosecond) - start) / 1000
  end

  @doc "Microseconds from spawning a process to having its answer, so many times, with pauses."
  def latencies(count) do
    for _ <- 1..count do
      Process.sleep(1)
      elapsed(&spawn_and_reply/0)
    end
  end

  defp spawn_and_reply do
    me = self()
    spawn(fn -> send(me, :done) end)

    receive do
      :done -> :ok
    end
  end

  @doc "Prints rows of `{name, nanoseconds}` with their ratio to the row named `base`."
  def table(title, rows, base) do
    IO.puts("\n" <> title)
    {_, unit} = List.keyfind(rows, base, 0)

    for {name, time} <- rows do
      ratio = :erlang.float_to_binary(time / unit, decimals: 2)
      time = String.pad_leading("#{round(time)} ns", 12)

      IO.puts(
        "  " <> String.pad_trailing(name, 44) <> time <> String.pad_leading("x #{ratio}", 10)
      )
    end
  end

  @doc "Resident bytes of this process of the operating system."
  def resident do
    status = File.read!("/proc/self/status")
    [_, kib] = Regex.run(~r/VmRSS:\s+(\d+) kB/, status)
    String.to_integer(kib) * 1024
  end

  @doc "Its memory mappings."
  def mappings, do: "/proc/self/maps" |> File.stream!() |> Enum.count()

  @doc "The path of a file of results."
  def result(name) do
    File.mkdir_p!(@results)
    Path.join(@results, name)
  end

  @doc "Writes rows, maps with the same keys, as CSV."
  def record(name, [first | _] = rows) do
    header = Enum.map_join(columns(first), ",", &elem(&1, 0))
    lines = for row <- rows, do: Enum.map_join(columns(row), ",", &quoted(elem(&1, 1)))
    File.write!(result(name <> ".csv"), Enum.map([header | lines], &[&1, "\n"]))
  end

  @doc "What a row has, what it is about first."
  def columns(row), do: Enum.sort_by(row, fn {key, value} -> {is_number(value), key} end)

  defp quoted(value) do
    text = to_string(value)
    if String.contains?(text, [",", "\""]), do: inspect(text), else: text
  end

  def environment do
    IO.puts(
      "Elixir #{System.version()}, OTP #{System.otp_release()}, #{System.schedulers_online()} schedulers, #{:erlang.system_info(:dirty_cpu_schedulers_online)} dirty"
    )
  end

  defp repeat(_function, 0), do: :ok

  defp repeat(function, times) do
    function.()
    repeat(function, times - 1)
  end
end

Code.require_file("plot.exs", __DIR__)
