defmodule GameBox.Round.Store do
  @moduledoc """
  The variables of games that are being played, in a table that outlives their servers. The arena writes them to its
  file each second, and when the node is stopped. A power failure therefore costs one second.
  """

  @behaviour Vitrine.Server.Store

  @table __MODULE__

  @type key :: {code :: String.t(), round :: pos_integer()}

  @doc "Creates the table, which belongs to the calling process."
  def create, do: :ets.new(@table, [:named_table, :public, write_concurrency: true])

  @impl true
  def load(key) do
    case :ets.lookup(@table, key) do
      [{_key, vars}] -> vars
      [] -> nil
    end
  end

  @impl true
  def save(key, vars) do
    :ets.insert(@table, {key, vars})
    :ok
  end

  @doc "Deletes the variables."
  @spec forget(key()) :: true
  def forget(key), do: :ets.delete(@table, key)
end
