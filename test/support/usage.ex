defmodule Vitrine.Usage do
  @moduledoc "Measures what this operating system process uses, to see what is left behind."

  @mib 1_048_576

  @doc """
  Processes, ports and tables of the BEAM, and the addresses and memory of the OS process, in MiB. Each
  memory of an instance has some GiB of addresses, so that one that leaks is seen.
  """
  def now do
    for pid <- Process.list(), do: :erlang.garbage_collect(pid)
    [mapped, resident | _] = "/proc/self/statm" |> File.read!() |> String.split()

    %{
      processes: length(Process.list()),
      ports: length(Port.list()),
      tables: length(:ets.all()),
      addresses: div(String.to_integer(mapped) * 4096, @mib),
      resident: div(String.to_integer(resident) * 4096, @mib)
    }
  end

  @doc "The least of each in half a second: what comes and goes is not left behind."
  def least do
    samples = for _ <- 1..10, do: Process.sleep(50) && now()
    Enum.reduce(samples, &Map.merge(&1, &2, fn _what, a, b -> min(a, b) end))
  end

  @doc """
  The work of a function in reductions, and its result. One is a call of a function: a machine that is busy makes them
  no more.
  """
  def reductions(work) do
    :erlang.garbage_collect()
    {:reductions, before} = Process.info(self(), :reductions)
    result = work.()
    {:reductions, later} = Process.info(self(), :reductions)
    {later - before, result}
  end

  @doc "The share of time that the busiest scheduler, normal or dirty, was at work in a tenth of a second."
  def busiest_scheduler do
    :erlang.system_flag(:scheduler_wall_time, true)
    before = :erlang.statistics(:scheduler_wall_time_all)
    Process.sleep(100)
    later = :erlang.statistics(:scheduler_wall_time_all)
    :erlang.system_flag(:scheduler_wall_time, false)

    Enum.zip(Enum.sort(before), Enum.sort(later))
    |> Enum.map(fn {{_, active, total}, {_, active_later, total_later}} ->
      (active_later - active) / max(total_later - total, 1)
    end)
    |> Enum.max()
  end
end
