defmodule Vitrine.Pool.Account do
  @moduledoc false
  # The counts of all instances of a pool, including those that it has dropped. The counters of dropped instances are
  # added up in rows of the pool's table, and the instances that exist are asked.
  #
  #   {:past, count, …}       the counters, in the order of @counters
  #   {:peak, bytes}          the most memory that one instance had
  #   {{:error, reason}, n}

  alias Vitrine.{Native, Plugin}

  @counters [:calls, :abandoned, :instances, :slices, :guest_us, :host_calls, :host_us, :fuel]
  @fuel Enum.find_index(@counters, &(&1 == :fuel)) + 2
  @now [:memory_bytes, :vars_bytes]

  # How long a call may take to notice that its instance was closed, in milliseconds.
  @close_delay 100

  @doc "Puts the rows into a new table."
  @spec open(:ets.table()) :: true
  def open(table) do
    :ets.insert(table, [List.to_tuple([:past | Enum.map(@counters, fn _ -> 0 end)]), {:peak, 0}])
  end

  @doc "Closes an instance of the calling process's pool, and keeps what it has done."
  @spec close(:ets.table(), pid(), Plugin.t()) :: :ok
  def close(table, pool, plugin) do
    idle? = Native.plugin_idle(plugin.ref)
    Native.plugin_close(plugin.ref)
    # If a process was killed in a call, that call is counted when it has ended.
    if idle?,
      do: add(table, plugin),
      else: Process.send_after(pool, {:account, plugin}, @close_delay)

    :ok
  end

  @doc "Adds what a closed instance has done."
  @spec add(:ets.table(), Plugin.t()) :: :ok
  def add(table, plugin) do
    stats = Native.plugin_stats(plugin.ref)

    counts =
      for {name, place} <- Enum.with_index(@counters, 2), do: {place, Map.fetch!(stats, name)}

    :ets.update_counter(table, :past, counts)
    for {reason, n} <- stats.errors, do: count(table, {:error, reason}, n)
    peak = stats.peak_memory_bytes
    :ets.select_replace(table, [{{:peak, :"$1"}, [{:<, :"$1", peak}], [{{:peak, peak}}]}])
    :ok
  end

  defp count(table, key, n), do: :ets.update_counter(table, key, n, {key, 0})

  @doc "Returns `Vitrine.stats/1` for a pool with these instances."
  @spec stats(:ets.table(), [Plugin.t()]) :: Vitrine.stats()
  def stats(table, plugins) do
    Enum.reduce(plugins, past(table), fn plugin, sum ->
      Map.merge(sum, Native.plugin_stats(plugin.ref), &merge/3)
    end)
  end

  @doc "Returns the fuel that dropped instances have used."
  @spec past_fuel(:ets.table()) :: non_neg_integer()
  def past_fuel(table), do: :ets.lookup_element(table, :past, @fuel)

  defp past(table) do
    [past] = :ets.lookup(table, :past)
    [{:peak, peak}] = :ets.lookup(table, :peak)
    errors = :ets.select(table, [{{{:error, :"$1"}, :"$2"}, [], [{{:"$1", :"$2"}}]}])

    [@counters, tl(Tuple.to_list(past))]
    |> Enum.zip()
    |> Map.new()
    |> Map.merge(Map.new(@now, &{&1, 0}))
    |> Map.merge(%{peak_memory_bytes: peak, errors: Map.new(errors)})
  end

  defp merge(:errors, some, more), do: Map.merge(some, more, fn _reason, a, b -> a + b end)
  defp merge(:peak_memory_bytes, one, other), do: max(one, other)
  defp merge(_counter, some, more), do: some + more
end
