defmodule Vitrine.Pool.Directory do
  @moduledoc false
  # Where a caller finds a pool's slots by the pool's pid or name.

  alias Vitrine.Pool.Slots
  alias Vitrine.Process.Directory

  @doc "The slots of a pool, or `nil` if that is no pool on this node."
  @spec find(GenServer.server()) :: Slots.t() | nil
  def find(pid) when is_pid(pid) do
    case Directory.lookup(pid) do
      %Slots{} = slots -> slots
      _other -> nil
    end
  end

  def find(name) do
    case GenServer.whereis(name) do
      pid when is_pid(pid) -> find(pid)
      _elsewhere -> nil
    end
  end
end
