defmodule Vitrine.Server.VarsKeeper do
  @moduledoc false
  # Holds the plugins of servers with `restore_vars: true`, besides the servers themselves: when one
  # dies, its plugin's variables are there as the last call left them. Nothing is copied before.
  #
  # What it holds is in a table that outlives it, `{key, plugin, holder}`: the holder is the server, or
  # since that is gone the reference of a timer's message.

  use GenServer

  alias Vitrine.Native

  @table __MODULE__

  # What a server that does not come back leaves is forgotten after this time, in milliseconds.
  @patience 60_000

  @type key :: term()

  @doc "Creates the table, which belongs to the process that does."
  def create, do: :ets.new(@table, [:named_table, :public])

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc """
  Claims a key for the calling server. If the last one of this key left a plugin, that is given, and
  held until `hold/2`: a server that cannot take over its variables leaves it as it was.
  """
  @spec claim(key(), reference()) :: {:ok, reference() | nil} | {:error, :taken}
  def claim(key, plugin), do: GenServer.call(__MODULE__, {:claim, key, plugin}, :infinity)

  @doc "Holds this plugin of the calling server from now on."
  @spec hold(key(), reference()) :: :ok
  def hold(key, plugin), do: GenServer.call(__MODULE__, {:hold, key, plugin}, :infinity)

  @impl true
  def init(_) do
    # It may have been restarted: then the servers that died meanwhile are heard of now.
    for {key, _plugin, holder} <- :ets.tab2list(@table) do
      if is_pid(holder), do: Process.monitor(holder), else: leave(key)
    end

    {:ok, nil}
  end

  @impl true
  def handle_call({:claim, key, plugin}, {server, _}, state) do
    case holder(key) do
      pid when is_pid(pid) ->
        {:reply, {:error, :taken}, state}

      nil ->
        Process.monitor(server)
        :ets.insert(@table, {key, plugin, server})
        {:reply, {:ok, nil}, state}

      _gone ->
        Process.monitor(server)
        :ets.update_element(@table, key, {3, server})
        {:reply, {:ok, plugin(key)}, state}
    end
  end

  def handle_call({:hold, key, plugin}, {server, _}, state) do
    :ets.insert(@table, {key, plugin, server})
    {:reply, :ok, state}
  end

  @impl true
  def handle_info({:DOWN, _monitor, :process, server, reason}, state) do
    for [key] <- :ets.match(@table, {:"$1", :_, server}), do: down(key, reason)
    {:noreply, state}
  end

  def handle_info({:forget, key, timer}, state) do
    # Unless it was claimed meanwhile.
    with [{_, _, ^timer}] <- :ets.lookup(@table, key), do: :ets.delete(@table, key)
    {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}

  # Who has the key: a server, or nobody any more, or nobody yet.
  defp holder(key) do
    case :ets.lookup(@table, key) do
      [{_, _, server}] when is_pid(server) ->
        if Process.alive?(server), do: server, else: await(key, server)

      [{_, _, timer}] ->
        timer

      [] ->
        nil
    end
  end

  # A server that was restarted may be here before the news of the last one's end.
  defp await(key, server) do
    receive do
      {:DOWN, _, :process, ^server, reason} -> down(key, reason)
    end

    holder(key)
  end

  # A server that was stopped in good order wants nothing kept.
  defp down(key, :normal), do: :ets.delete(@table, key)

  defp down(key, _reason) do
    # If it was killed in the middle of a call, that must not go on changing them.
    Native.plugin_close(plugin(key))
    leave(key)
  end

  defp leave(key) do
    timer = make_ref()
    :ets.update_element(@table, key, {3, timer})
    Process.send_after(self(), {:forget, key, timer}, @patience)
  end

  defp plugin(key), do: :ets.lookup_element(@table, key, 2)
end
