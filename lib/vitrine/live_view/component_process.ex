defmodule Vitrine.LiveView.ComponentProcess do
  @moduledoc false
  # The process of a live component in a connected page. A component has no mailbox, so this process is the plugin's
  # viewer in its place, sends the plugin its events, and passes the news to the component as updates.
  #
  # A component is not told when it is removed from its page. It therefore confirms each update, and is asked from
  # time to time. If it does not answer, this process ends. If it was only slow, because the page was busy, the
  # component notices this and starts another process.

  use GenServer, restart: :temporary

  @compile {:no_warn_undefined, Phoenix.LiveView}

  alias Vitrine.Error
  alias Vitrine.LiveView.{Calls, RenderCache, Session}

  # How often a component is asked whether it is there, in milliseconds.
  @check_interval 30_000

  @typedoc """
  News for a component: a render in this table, a delay, the end of an event, or only the question whether it is there.
  """
  @type news ::
          {:rendered, :ets.tid()}
          | :busy
          | {:answered, {:ok, map()} | {:error, Error.t()}}
          | :there?

  @doc "Starts a process for a component of the calling process."
  @spec start(struct(), keyword()) :: pid()
  def start(cid, options \\ []) do
    child = {__MODULE__, {self(), cid, options[:check_interval] || @check_interval}}
    {:ok, process} = DynamicSupervisor.start_child(Vitrine.LiveView.Supervisor, child)
    process
  end

  @doc """
  Becomes a viewer as this session says, and ends the session before. Returns the session, and whether there is
  something to show, after `:patience` at most.
  """
  @spec watch(pid(), Session.t()) :: {RenderCache.joined(), Session.t()}
  def watch(process, session), do: GenServer.call(process, {:watch, session}, :infinity)

  @doc "Sends the plugin an event, unless it is too large or too many events wait."
  @spec event(pid(), String.t(), term()) :: :ok | {:error, Error.t()}
  def event(process, name, value) do
    GenServer.call(process, {:event, name, value}, :infinity)
  catch
    :exit, _gone ->
      {:error, %Error{reason: :closed, message: "the component's process has ended"}}
  end

  @doc "Confirms an update of the component. Returns whether this process still exists."
  @spec acknowledge(pid()) :: boolean()
  def acknowledge(process) do
    GenServer.cast(process, :acknowledged)
    Process.alive?(process)
  end

  @doc false
  def start_link(argument), do: GenServer.start_link(__MODULE__, argument)

  @impl true
  def init({owner, cid, check_interval}) do
    state = %{
      owner: owner,
      cid: cid,
      check_interval: check_interval,
      monitor: Process.monitor(owner),
      session: nil,
      acknowledged?: true
    }

    {:ok, check_later(state)}
  end

  @impl true
  def handle_call({:watch, wanted}, _from, state) do
    {joined, session} =
      if state.session, do: Session.change(state.session, wanted), else: Session.join(wanted)

    joined = if Session.await(joined, session), do: :ready, else: joined
    {:reply, {joined, session}, %{state | session: session, acknowledged?: true}}
  end

  def handle_call({:event, name, value}, _from, %{session: session} = state) do
    case Session.event(session, name, value) do
      {:ok, session} -> {:reply, :ok, %{state | session: session, acknowledged?: true}}
      {:error, error} -> {:reply, {:error, error}, %{state | acknowledged?: true}}
    end
  end

  @impl true
  def handle_cast(:acknowledged, state), do: {:noreply, %{state | acknowledged?: true}}

  @impl true
  def handle_info({:vitrine_live_view, _tag, {:answered, result}}, state),
    do: {:noreply, answered(state, result)}

  def handle_info({:vitrine_live_view, _tag, {:late, event}}, state) do
    if Session.late?(state.session, event), do: tell(state, :busy)
    {:noreply, state}
  end

  def handle_info({:vitrine_live_view, tag, news}, %{session: %{tag: tag}} = state) do
    forward(state, news)
    {:noreply, state}
  end

  def handle_info(:check, %{acknowledged?: false} = state), do: {:stop, :normal, state}

  def handle_info(:check, state) do
    tell(state, :there?)
    {:noreply, check_later(%{state | acknowledged?: false})}
  end

  def handle_info({:DOWN, monitor, :process, _, _}, %{monitor: monitor} = state),
    do: {:stop, :normal, state}

  # The hub has ended.
  def handle_info({:DOWN, monitor, _, _, _}, %{session: %{monitor: monitor}} = state) do
    {joined, session} = Session.join(state.session)
    state = %{state | session: session}
    forward(state, joined)
    {:noreply, state}
  end

  def handle_info({:DOWN, monitor, _, _, reason}, %{session: %{running: {_, monitor}}} = state),
    do: {:noreply, answered(state, {:error, Calls.failure(reason)})}

  def handle_info(_message, state), do: {:noreply, state}

  defp answered(state, result) do
    tell(state, {:answered, result})
    %{state | session: Session.over(state.session)}
  end

  defp forward(state, news) when news in [:rendered, :ready],
    do: tell(state, {:rendered, state.session.table})

  defp forward(state, :slow), do: tell(state, :busy)
  defp forward(_state, :rendering), do: :ok

  defp tell(state, news),
    do: Phoenix.LiveView.send_update(state.owner, state.cid, __vitrine__: news)

  defp check_later(state) do
    Process.send_after(self(), :check, state.check_interval)
    state
  end
end
