defmodule Vitrine.Server.VarsKeeper do
  @moduledoc false
  # Holds the plugins of servers with `restore_vars: true`, besides the servers themselves. When a server dies, its
  # plugin's variables are still there as the last call left them. Nothing is copied before that.
  #
  # The plugins are in a table that outlives this process, as `{key, plugin, holder}`. The holder is the server. When
  # that has ended it is a reference, which the message of a timer has.

  use GenServer

  alias Vitrine.Native

  @table __MODULE__

  # How long the variables of a server are kept that is not started again, in milliseconds.
  @keep 60_000

  @type key :: term()

  @doc "Creates the table, which belongs to the calling process."
  @spec create() :: :ets.table()
  def create, do: :ets.new(@table, [:named_table, :public])

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc """
  Claims a key for the calling server. If the last server of this key left a plugin, the answer is that plugin. It is
  held until `hold/2`, so that a server that cannot take over the variables leaves them as they were.
  """
  @spec claim(key(), reference()) :: {:ok, reference() | nil} | {:error, :taken}
  def claim(key, plugin), do: GenServer.call(__MODULE__, {:claim, key, plugin}, :infinity)

  @doc "Holds this plugin of the calling server from now on."
  @spec hold(key(), reference()) :: :ok
  def hold(key, plugin), do: GenServer.call(__MODULE__, {:hold, key, plugin}, :infinity)

  @impl true
  def init(_) do
    # If this process was restarted, it hears now of the servers that died meanwhile.
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
    # A plugin that was claimed meanwhile stays.
    with [{_, _, ^timer}] <- :ets.lookup(@table, key), do: :ets.delete(@table, key)
    {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}

  # The holder of a key: a server, the reference of a timer, or `nil` if there is none.
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

  # A server that was restarted may ask before the message of its predecessor's end has arrived.
  defp await(key, server) do
    receive do
      {:DOWN, _, :process, ^server, reason} -> down(key, reason)
    end

    holder(key)
  end

  # The variables of a server that was stopped in good order are not kept.
  defp down(key, :normal), do: :ets.delete(@table, key)

  defp down(key, _reason) do
    # If the server was killed in the middle of a call, that call must not change them any more.
    Native.plugin_close(plugin(key))
    leave(key)
  end

  defp leave(key) do
    timer = make_ref()
    :ets.update_element(@table, key, {3, timer})
    Process.send_after(self(), {:forget, key, timer}, @keep)
  end

  defp plugin(key), do: :ets.lookup_element(@table, key, 2)
end
