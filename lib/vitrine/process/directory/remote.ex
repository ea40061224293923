defmodule Vitrine.Process.Directory.Remote do
  @moduledoc false
  # What a process on another node is. That node is asked once: what it says is remembered until the process ends.

  alias Vitrine.Process.Directory
  alias Vitrine.Process.Directory.Stranger

  # How long another node may take, in milliseconds. Longer ones are found out by the call itself.
  @patience 1_000

  @doc "What a process is there; `:unknown` if that node cannot say."
  @spec kind(pid() | {atom(), node()}, node()) ::
          :server | :pool | :gone | :unknown | {:stranger, String.t()}
  def kind(process, node) do
    case :ets.lookup(Directory.table(), {:remote, process}) do
      [{_, kind}] -> kind
      [] -> ask(process, node)
    end
  rescue
    ArgumentError -> Directory.not_started!()
  end

  defp ask(process, node) do
    with kind when kind in [:server, :pool] <- answer(process, node) do
      :ets.insert(Directory.table(), {{:remote, process}, kind})
      GenServer.cast(Directory, {:monitor, {:remote, process}})
      kind
    end
  end

  defp answer({name, _node}, node), do: answer(name, node)

  defp answer(process, node) do
    :erpc.call(node, Stranger, :kind, [process], @patience)
  catch
    # It is not connected, is too slow, or has an earlier version of Vitrine.
    _kind, _reason -> :unknown
  end

  @doc "Forgets a process that has ended."
  @spec forget(pid() | {atom(), node()}) :: true
  def forget(process), do: :ets.delete(Directory.table(), {:remote, process})
end
