defmodule Vitrine.LiveView.Hub do
  @moduledoc false
  # The process between a plugin and its viewers on this node. It knows the viewers and their renders, and gets all
  # changes in one order. It never waits for the plugin.
  #
  # It starts with the first viewer, and ends when the last one has been gone for a while. If it ends otherwise,
  # viewers start another one.

  use GenServer, restart: :temporary

  alias Vitrine.LiveView.{Calls, RenderCache}

  # The data that viewers of one plugin have in common.
  @type key :: {plugin :: term(), pubsub :: atom(), topic :: String.t() | nil}

  # How long renders without viewers are kept, and how often to look for a plugin that is gone, in milliseconds.
  @keep 2_000
  @retry 100

  @doc """
  Makes the calling process a viewer. It gets `{:vitrine_live_view, tag, :rendered}` whenever there is a new result in
  the table, and `{:vitrine_live_view, tag, :slow}` if a render takes long.
  """
  @spec join(key(), RenderCache.class(), reference()) ::
          {RenderCache.joined(), hub :: pid(), :ets.tid()}
  def join(key, class, tag, tries \\ 5) do
    hub = find(key) || start(key)
    {state, table} = GenServer.call(hub, {:join, class, tag})
    {state, hub, table}
  catch
    # The hub ended just now, because the last viewer had left.
    :exit, {reason, {GenServer, :call, _}} when reason in [:noproc, :normal] and tries > 0 ->
      join(key, class, tag, tries - 1)
  end

  @doc "Reverses `join/3`."
  @spec leave(pid(), reference()) :: :ok
  def leave(hub, tag), do: GenServer.cast(hub, {:leave, tag})

  @doc """
  Tells all viewers, on all nodes, that the plugin has changed since the version before. If a viewer caused the
  change, the plugin is rendered for that viewer's class first, because the viewer waits for it.
  """
  @spec changed(key(), version :: term(), RenderCache.class() | nil) :: :ok
  def changed(key, version, by \\ nil)

  def changed({_plugin, nil, _topic} = key, version, by) do
    if hub = find(key), do: send(hub, {:vitrine_live_view, :changed, version, by})
    :ok
  end

  def changed({_plugin, pubsub, topic}, version, by) do
    apply(Phoenix.PubSub, :broadcast, [pubsub, topic, {:vitrine_live_view, :changed, version, by}])

    :ok
  end

  defp find(key) do
    case Registry.lookup(Vitrine.LiveView.Registry, key) do
      # A hub that has just ended may still be registered.
      [{hub, _}] -> if Process.alive?(hub), do: hub
      [] -> nil
    end
  rescue
    # Without the application there is no registry.
    ArgumentError -> Vitrine.Process.Directory.not_started!()
  end

  defp start(key) do
    case DynamicSupervisor.start_child(Vitrine.LiveView.Supervisor, {__MODULE__, key}) do
      {:ok, hub} -> hub
      {:error, {:already_started, hub}} -> hub
      # Phoenix.PubSub does not run by this name.
      {:error, {exception, _}} when is_exception(exception) -> raise exception
    end
  end

  @doc false
  def start_link(key) do
    name = {:via, Registry, {Vitrine.LiveView.Registry, key}}
    GenServer.start_link(__MODULE__, key, name: name)
  end

  @impl true
  def init({plugin, pubsub, topic}) do
    # The hub subscribes before the first render, so that no change is missed.
    if pubsub, do: :ok = apply(Phoenix.PubSub, :subscribe, [pubsub, topic])

    state = %{
      plugin: plugin,
      server: nil,
      version: nil,
      renders: RenderCache.new(),
      # The class and tag of each viewer, by the monitor of its process.
      viewers: %{}
    }

    {:ok, watch(state)}
  end

  @impl true
  def handle_call({:join, class, tag}, {pid, _}, state) do
    {found, renders} = RenderCache.join(state.renders, class, tag, pid)
    viewers = Map.put(state.viewers, Process.monitor(pid), {class, tag})
    {:reply, {found, renders.table}, start_renders(%{state | renders: renders, viewers: viewers})}
  end

  @impl true
  def handle_cast({:leave, tag}, state) do
    case Enum.find(state.viewers, fn {_, {_, viewer}} -> viewer == tag end) do
      {monitor, _} ->
        Process.demonitor(monitor, [:flush])
        {:noreply, left(state, monitor)}

      nil ->
        {:noreply, state}
    end
  end

  @impl true
  def handle_info({:vitrine_live_view, :changed, version, by}, state) do
    if version != nil and version == state.version,
      do: {:noreply, state},
      else: {:noreply, changed_to(state, version, by)}
  end

  def handle_info({:slow, reference}, state) do
    case RenderCache.slow(state.renders, reference) do
      {class, renders} ->
        tell(state, class, :slow)
        {:noreply, %{state | renders: renders}}

      nil ->
        {:noreply, state}
    end
  end

  # The server has ended. When it comes back, its state and its versions may differ.
  def handle_info({:DOWN, monitor, :process, _, _}, %{server: monitor} = state),
    do: {:noreply, look_for_server_later(%{state | server: nil, version: nil})}

  def handle_info({:DOWN, monitor, :process, _, reason}, state) do
    case RenderCache.finish(state.renders, monitor) do
      nil -> {:noreply, left(state, monitor)}
      finished -> {:noreply, finished(state, finished, reason)}
    end
  end

  def handle_info(:look_for_server, %{server: nil} = state) do
    case watch(state) do
      %{server: nil} = state -> {:noreply, state}
      state -> {:noreply, changed_to(state, nil)}
    end
  end

  def handle_info({:forget, class}, state) do
    state = %{state | renders: RenderCache.forget(state.renders, class)}
    if state.viewers == %{}, do: {:stop, :normal, state}, else: {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp changed_to(state, version, by \\ nil),
    do: start_renders(%{state | version: version, renders: RenderCache.change(state.renders)}, by)

  defp start_renders(state, first \\ nil) do
    Enum.reduce(RenderCache.wanted(state.renders, first), state, fn class, state ->
      %{plugin: plugin, renders: %{table: table, generation: generation}} = state

      {_pid, reference} =
        Calls.start(fn ->
          RenderCache.put(table, class, generation, Calls.render(plugin, class))
        end)

      Process.send_after(self(), {:slow, reference}, class.slow_after)
      %{state | renders: RenderCache.begin(state.renders, class, reference)}
    end)
  end

  defp finished(state, {class, generation, renders}, reason) do
    if reason != :normal,
      do: RenderCache.put(renders.table, class, generation, {:error, Calls.failure(reason)})

    tell(state, class, :rendered)
    start_renders(%{state | renders: renders})
  end

  defp tell(state, class, news) do
    for {tag, pid} <- RenderCache.viewers(state.renders, class),
        do: send(pid, {:vitrine_live_view, tag, news})
  end

  defp left(state, monitor) do
    case Map.pop(state.viewers, monitor) do
      {{class, tag}, viewers} ->
        renders = RenderCache.leave(state.renders, class, tag)

        if RenderCache.viewers(renders, class) == %{},
          do: Process.send_after(self(), {:forget, class}, @keep)

        %{state | viewers: viewers, renders: renders}

      {nil, _} ->
        state
    end
  end

  defp watch(%{plugin: plugin} = state) do
    case GenServer.whereis(plugin) do
      nil ->
        look_for_server_later(state)

      # A node without a name cannot monitor a process of another node.
      {_name, _node} when node() == :nonode@nohost ->
        look_for_server_later(state)

      server ->
        %{state | server: Process.monitor(server)}
    end
  end

  # A pid never comes back.
  defp look_for_server_later(%{plugin: plugin} = state) when is_pid(plugin), do: state

  defp look_for_server_later(state) do
    Process.send_after(self(), :look_for_server, @retry)
    state
  end
end
