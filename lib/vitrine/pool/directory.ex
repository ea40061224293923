defmodule Vitrine.Pool.Directory do
  @moduledoc false
  # Where a caller finds a pool's slots by the pool's pid or name, without a message to anybody.
  # Pools put themselves in; this process takes out those that are gone.

  use GenServer

  alias Vitrine.Pool.Slots

  @table __MODULE__

  @doc "Creates the table, which belongs to the process that does."
  def create do
    # To find a table by its name takes longer than what is looked up in it for every call.
    :persistent_term.put(@table, :ets.new(@table, [:public, read_concurrency: true]))
  end

  defp table, do: :persistent_term.get(@table)

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc "Puts a pool in, which is the process that asks."
  @spec put(Slots.t()) :: :ok
  def put(%Slots{pid: pid} = slots) when pid == self() do
    :ets.insert(table(), {pid, slots})
    # If the directory's process is being restarted, it finds the pool in the table.
    GenServer.cast(__MODULE__, {:monitor, pid})
  rescue
    ArgumentError -> not_started!()
  end

  @doc "Takes a pool out: new calls do not find it any more."
  @spec delete(pid()) :: true
  def delete(pid), do: :ets.delete(table(), pid)

  @doc "The slots of a pool, or `nil` if that is no pool on this node."
  @spec find(GenServer.server()) :: Slots.t() | nil
  def find(pid) when is_pid(pid) do
    case :ets.lookup(table(), pid) do
      [{_, slots}] -> slots
      [] -> nil
    end
  rescue
    ArgumentError -> not_started!()
  end

  def find(name) do
    case GenServer.whereis(name) do
      pid when is_pid(pid) -> find(pid)
      _elsewhere -> nil
    end
  end

  defp not_started! do
    raise "the application :vitrine is not started: Application.ensure_all_started(:vitrine) does that"
  end

  @impl true
  def init(nil) do
    for [pid] <- :ets.match(table(), {:"$1", :_}), do: Process.monitor(pid)
    {:ok, nil}
  end

  @impl true
  def handle_cast({:monitor, pid}, state) do
    Process.monitor(pid)
    {:noreply, state}
  end

  @impl true
  def handle_info({:DOWN, _, :process, pid, _}, state) do
    delete(pid)
    {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}
end
