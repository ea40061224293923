defmodule Vitrine.Process.Listing do
  @moduledoc false
  # Lists what there is on this node. Plugins and compiled plugins have entries in the core, which do not keep them alive.
  # Servers and pools are in the directory, and their instances are plugins that they own.

  alias Vitrine.Native
  alias Vitrine.Process.Directory

  @nothing %{instances: 0, calls: 0, memory_bytes: 0, fuel: 0, busy: 0}

  @typedoc "A pool's name, hash, ended calls and the fuel of its dropped instances, or `nil` if it has just ended."
  @type past :: {String.t(), String.t(), non_neg_integer(), non_neg_integer()} | nil

  @doc "Returns `Vitrine.list/0`. The function reads what a pool has done from the pool's entry in the directory."
  @spec all((Directory.pool() -> past())) :: [Vitrine.listed()]
  def all(past_of_pool) do
    {plugins, compiled} = Native.list_all()
    {by_owner, by_hash} = Enum.reduce(plugins, {%{}, %{}}, &sum/2)

    processes =
      for {pid, entry} <- Directory.all(),
          listed = process(pid, entry, by_owner[pid], past_of_pool),
          do: listed

    Enum.map(plugins, &plugin/1) ++ processes ++ Enum.map(compiled, &compiled(&1, by_hash))
  end

  defp sum({{_name, hash, owner, _since}, idle?, calls, memory, fuel}, {by_owner, by_hash}) do
    add = fn sum ->
      %{
        instances: sum.instances + 1,
        calls: sum.calls + calls,
        memory_bytes: sum.memory_bytes + memory,
        fuel: sum.fuel + fuel,
        busy: if(idle?, do: sum.busy, else: sum.busy + 1)
      }
    end

    {Map.update(by_owner, owner, add.(@nothing), add),
     Map.update(by_hash, hash, add.(@nothing), add)}
  end

  defp plugin({about, idle?, calls, memory, fuel}) do
    listed(:plugin, about, %{
      instances: 1,
      calls: calls,
      memory_bytes: memory,
      fuel: fuel,
      busy: if(idle?, do: 0, else: 1)
    })
  end

  defp compiled({_name, hash, _owner, _since} = about, by_hash),
    do: listed(:compiled, about, Map.get(by_hash, hash, @nothing))

  defp process(pid, %{past: {calls, fuel}} = server, sum, _past_of_pool) do
    sum = sum || @nothing
    sum = %{sum | calls: sum.calls + calls, fuel: sum.fuel + fuel}
    about = {server.plugin, server.hash, server.starter, server.since}
    Map.merge(listed(:server, about, sum), %{process: pid, label: server.label})
  end

  defp process(pid, pool, sum, past_of_pool) do
    with {name, hash, calls, fuel} <- past_of_pool.(pool) do
      sum = %{(sum || @nothing) | calls: calls} |> Map.update!(:fuel, &(&1 + fuel))
      about = {name, hash, pool.starter, pool.since}
      Map.merge(listed(:pool, about, sum), %{process: pid, label: pool.label})
    end
  end

  defp listed(kind, {name, hash, owner, since}, sum) do
    %{
      kind: kind,
      name: name,
      hash: hash,
      process: nil,
      label: nil,
      owner: owner,
      since: DateTime.from_unix!(since, :microsecond),
      state: if(sum.busy > 0, do: :busy, else: :idle),
      instances: sum.instances,
      calls: sum.calls,
      memory_bytes: sum.memory_bytes,
      fuel: sum.fuel
    }
  end
end
