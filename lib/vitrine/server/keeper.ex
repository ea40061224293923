defmodule Vitrine.Server.Keeper do
  @moduledoc false
  # Holds the plugins of servers with `restore_vars: true`, besides the servers themselves: when one
  # dies, its plugin's variables are there as the last call left them. Nothing is copied before.

  use GenServer

  alias Vitrine.Native

  # What a server that does not come back leaves is forgotten after this time, in milliseconds.
  @patience 60_000

  @type key :: term()

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc "Holds the calling server's plugin, and gives the one that was left by the last of this key."
  @spec claim(key(), reference()) :: {:ok, reference() | nil} | {:error, :taken}
  def claim(key, plugin), do: GenServer.call(__MODULE__, {:claim, key, plugin}, :infinity)

  @doc "Holds another plugin of the calling server."
  @spec replace(key(), reference()) :: :ok
  def replace(key, plugin), do: GenServer.call(__MODULE__, {:replace, key, plugin}, :infinity)

  # Of each key the plugin, and the monitor of its server or the timer since that is gone.
  @impl true
  def init(_), do: {:ok, %{}}

  @impl true
  def handle_call({:claim, key, plugin}, {server, _}, held) do
    case settled(held, key) do
      %{^key => {:server, _, _, _}} ->
        {:reply, {:error, :taken}, held}

      held ->
        left = with {:left, left, _timer} <- held[key], do: left
        entry = {:server, plugin, server, Process.monitor(server)}
        {:reply, {:ok, left}, Map.put(held, key, entry)}
    end
  end

  def handle_call({:replace, key, plugin}, {server, _}, held) do
    monitor =
      case held do
        %{^key => {:server, _old, ^server, monitor}} -> monitor
        # This process has been restarted since.
        _unknown -> Process.monitor(server)
      end

    {:reply, :ok, Map.put(held, key, {:server, plugin, server, monitor})}
  end

  @impl true
  def handle_info({:DOWN, monitor, :process, server, reason}, held) do
    case Enum.find(held, &match?({_key, {:server, _, ^server, ^monitor}}, &1)) do
      {key, _entry} -> {:noreply, left(held, key, reason)}
      nil -> {:noreply, held}
    end
  end

  def handle_info({:forget, key, plugin}, held) do
    case held do
      %{^key => {:left, ^plugin, _}} -> {:noreply, Map.delete(held, key)}
      _claimed -> {:noreply, held}
    end
  end

  # A server that was restarted may be here before the news of the last one's end.
  defp settled(held, key) do
    with {:server, _plugin, server, monitor} <- held[key], false <- Process.alive?(server) do
      receive do
        {:DOWN, ^monitor, :process, _, reason} -> left(held, key, reason)
      end
    else
      _ -> held
    end
  end

  # A server that was stopped in good order wants nothing kept.
  defp left(held, key, :normal), do: Map.delete(held, key)

  defp left(held, key, _reason) do
    {:server, plugin, _server, _monitor} = Map.fetch!(held, key)
    # If it was killed in the middle of a call, that must not go on changing them.
    Native.plugin_close(plugin)
    timer = Process.send_after(self(), {:forget, key, plugin}, @patience)
    Map.put(held, key, {:left, plugin, timer})
  end
end
