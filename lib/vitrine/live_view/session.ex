defmodule Vitrine.LiveView.Session do
  @moduledoc false
  # The private state of a socket for one of its plugins: its hub, and the events that the plugin has yet to get, one
  # at a time and in order.

  alias Vitrine.Error
  alias Vitrine.LiveView.{Calls, Hub, Options, RenderCache}
  alias __MODULE__

  @enforce_keys [:name, :options, :key, :class]
  defstruct [
    :name,
    :options,
    :key,
    :class,
    :tag,
    :hub,
    :monitor,
    :table,
    running: nil,
    events: []
  ]

  @type t :: %Session{
          name: atom(),
          options: Options.t(),
          key: Hub.key(),
          class: RenderCache.class(),
          tag: reference() | nil,
          hub: pid() | nil,
          monitor: reference() | nil,
          table: :ets.tid() | nil,
          # The process that sends the plugin an event.
          running: {pid(), reference()} | nil,
          # The waiting events, the last one first.
          events: [{String.t(), term()}]
        }

  @doc "Makes a session for a view with this name. `target` is the target of its events, if it is a component."
  @spec new(atom(), Options.t(), String.t() | nil) :: t()
  def new(name, %Options{} = options, target \\ nil) do
    of_elements = [namespace: options.namespace] ++ if target, do: [target: target], else: []

    class = %{
      function: options.render,
      input: with_assigns(%{"player_id" => options.viewer}, options),
      timeout: options.timeout,
      slow_after: options.slow_after,
      # The element contains what is painted in it.
      parse: [contained: true] |> Keyword.merge(options.html) |> Keyword.merge(of_elements)
    }

    key = {options.plugin, options.pubsub, options.topic}
    %Session{name: name, options: options, key: key, class: class}
  end

  @doc "Makes the calling process a viewer, or makes it one again if the hub was lost."
  @spec join(t()) :: {RenderCache.joined(), t()}
  def join(%Session{} = session) do
    tag = make_ref()
    {state, hub, table} = Hub.join(session.key, session.class, tag)
    {state, %{session | tag: tag, hub: hub, table: table, monitor: Process.monitor(hub)}}
  end

  @doc "Waits for the first render, for at most `patience` milliseconds."
  @spec await(RenderCache.joined(), t()) :: RenderCache.result() | nil
  def await(:ready, session), do: result(session)
  def await(:slow, _session), do: nil

  def await(:rendering, %{tag: tag} = session) do
    receive do
      {:vitrine_live_view, ^tag, :rendered} -> result(session)
    after
      session.options.patience -> nil
    end
  end

  @doc "Returns the last render, if there is one."
  @spec result(t()) :: RenderCache.result() | nil
  def result(session), do: RenderCache.fetch(session.table, session.class)

  @doc "Stops being a viewer. An event in progress goes on."
  @spec leave(t()) :: :ok
  def leave(session) do
    with {_, monitor} <- session.running, do: Process.demonitor(monitor, [:flush])
    part(session)
  end

  # Options that matter only where answers and errors are shown.
  @shown [:on_answer, :on_error, :take, :temporary, :fade_after]

  @doc "Tells whether two sessions view the same plugin in the same way, and send events in the same way."
  @spec same?(t(), t()) :: boolean()
  def same?(%Session{} = one, %Session{} = other) do
    {one.class, one.key} == {other.class, other.key} and
      Map.drop(one.options, @shown) == Map.drop(other.options, @shown)
  end

  @doc "Becomes a viewer of another plugin or class. The earlier events are not lost."
  @spec change(t(), t()) :: {RenderCache.joined(), t()}
  def change(session, %Session{} = wanted) do
    part(session)
    join(%{wanted | running: session.running, events: session.events})
  end

  # Messages on their way are not for the next session.
  defp part(%{hub: hub, tag: tag, monitor: monitor}) do
    Process.demonitor(monitor, [:flush])
    Hub.leave(hub, tag)
    forget(tag)
  end

  defp forget(tag) do
    receive do
      {:vitrine_live_view, ^tag, news} when news in [:rendered, :slow] -> forget(tag)
    after
      0 -> :ok
    end
  end

  @doc "Takes an event for the plugin, unless it is too large or too many events wait."
  @spec event(t(), String.t(), term()) :: {:ok, t()} | {:error, Error.t()}
  def event(%Session{options: options} = session, name, value) do
    cond do
      :erlang.external_size(value) > options.max_event_bytes ->
        {:error, error("the event has more than #{options.max_event_bytes} bytes")}

      length(session.events) >= options.max_events ->
        {:error, error("#{options.max_events} events wait for the plugin already")}

      true ->
        {:ok, next(%{session | events: [{name, value} | session.events]})}
    end
  end

  @doc "Notes that the event that was sent to the plugin is over."
  @spec over(t()) :: t()
  def over(%Session{running: {_, monitor}} = session) do
    Process.demonitor(monitor, [:flush])
    next(%{session | running: nil})
  end

  def over(session), do: session

  @doc "Tells whether the slow event is the one in progress. An earlier one may have ended in time."
  @spec late?(t(), reference()) :: boolean()
  def late?(session, monitor), do: match?({_, ^monitor}, session.running)

  defp next(%{running: nil, events: [_ | _] = events} = session) do
    {waiting, [event]} = Enum.split(events, -1)
    {_pid, monitor} = running = start(session, event)
    late = {:vitrine_live_view, session.tag, {:late, monitor}}
    Process.send_after(self(), late, session.options.slow_after)
    %{session | events: waiting, running: running}
  end

  defp next(session), do: session

  defp start(%{options: options, tag: tag} = session, {name, value}) do
    viewer = self()
    input = %{"player_id" => options.viewer, "event_name" => name, "value" => value}
    input = with_assigns(input, options)

    Calls.start(fn ->
      result = Calls.event(options.plugin, options.handle_event, input, options.timeout)
      tell(session, result)
      send(viewer, {:vitrine_live_view, tag, {:answered, result}})
    end)
  end

  # The change is announced even if the viewer is gone by now.
  defp tell(session, {:ok, answer}), do: changed(session, answer["version"])
  # The plugin refused the event.
  defp tell(_session, {:error, %Error{reason: :guest_error}}), do: :ok
  # The plugin may have changed before it failed.
  defp tell(session, {:error, _error}), do: changed(session, nil)

  defp changed(session, version), do: Hub.changed(session.key, version, session.class)

  defp with_assigns(input, %{assigns: assigns}) when assigns == %{}, do: input
  defp with_assigns(input, %{assigns: assigns}), do: Map.put(input, "assigns", assigns)

  defp error(message), do: %Error{reason: :busy, message: message}
end
