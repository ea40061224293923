defmodule Vitrine.Process.Directory.Remote do
  @moduledoc false
  # Asks another node what one of its processes is.

  alias Vitrine.Process.Directory.Stranger

  # How long the node may take, in milliseconds. If it takes longer, the call itself finds out.
  @timeout 1_000

  @doc "Returns the kind of a process on that node. It is `:unknown` if the node cannot say."
  @spec kind(pid() | {atom(), node()}, node()) ::
          :server | :pool | :gone | :unknown | {:stranger, String.t()}
  def kind({name, _node}, node), do: kind(name, node)

  def kind(process, node) do
    :erpc.call(node, Stranger, :kind, [process], @timeout)
  catch
    # It is not connected, is too slow, or has an earlier version of Vitrine.
    _kind, _reason -> :unknown
  end
end
