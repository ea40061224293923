defmodule Vitrine.LiveView.Session do
  @moduledoc false
  # What a socket knows of one of its plugins and no template sees: its hub, and the events that the
  # plugin has yet to be told of, one at a time and in order.

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
          # The process that tells the plugin of an event.
          running: {pid(), reference()} | nil,
          # Those that wait, the last one first.
          events: [{String.t(), term()}]
        }

  @doc "For a view with this name, whose events have this target, if they are a component's."
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

  @doc "Makes the calling process a viewer; again, if the hub was lost."
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
      {Vitrine.LiveView, ^tag, :rendered} -> result(session)
    after
      session.options.patience -> nil
    end
  end

  @doc "The last render, if there is one."
  @spec result(t()) :: RenderCache.result() | nil
  def result(session), do: RenderCache.fetch(session.table, session.class)

  @doc "Ends being a viewer. An event that is under way goes on."
  @spec leave(t()) :: :ok
  def leave(session) do
    with {_, monitor} <- session.running, do: Process.demonitor(monitor, [:flush])
    part(session)
  end

  # What matters only where answers and errors are shown.
  @shown [:on_answer, :on_error, :take, :temporary, :fade_after]

  @doc "Whether two sessions look on at the same, and tell of events in the same way."
  @spec same?(t(), t()) :: boolean()
  def same?(%Session{} = one, %Session{} = other) do
    {one.class, one.key} == {other.class, other.key} and
      Map.drop(one.options, @shown) == Map.drop(other.options, @shown)
  end

  @doc "Becomes a viewer of something else. The events of before are not lost by that."
  @spec change(t(), t()) :: {RenderCache.joined(), t()}
  def change(session, %Session{} = wanted) do
    part(session)
    join(%{wanted | running: session.running, events: session.events})
  end

  # What was on its way is not for who comes after.
  defp part(%{hub: hub, tag: tag, monitor: monitor}) do
    Process.demonitor(monitor, [:flush])
    Hub.leave(hub, tag)
    forget(tag)
  end

  defp forget(tag) do
    receive do
      {Vitrine.LiveView, ^tag, news} when news in [:rendered, :slow] -> forget(tag)
    after
      0 -> :ok
    end
  end

  @doc "Takes an event for the plugin, unless it is too large or too many wait."
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

  @doc "The event that the plugin was told of is over."
  @spec over(t()) :: t()
  def over(%Session{running: {_, monitor}} = session) do
    Process.demonitor(monitor, [:flush])
    next(%{session | running: nil})
  end

  def over(session), do: session

  @doc "Whether it is the event under way that takes long: one before may have been quick."
  @spec late?(t(), reference()) :: boolean()
  def late?(session, monitor), do: match?({_, ^monitor}, session.running)

  defp next(%{running: nil, events: [_ | _] = events} = session) do
    {waiting, [event]} = Enum.split(events, -1)
    {_pid, monitor} = running = start(session, event)
    late = {Vitrine.LiveView, session.tag, {:late, monitor}}
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
      send(viewer, {Vitrine.LiveView, tag, {:answered, result}})
    end)
  end

  # Also if the viewer is gone by now.
  defp tell(session, {:ok, answer}), do: changed(session, answer["version"])
  # The plugin refused the event.
  defp tell(_session, {:error, %Error{reason: :guest_error}}), do: :ok
  # It may have changed before it failed.
  defp tell(session, {:error, _error}), do: changed(session, nil)

  defp changed(session, version), do: Hub.changed(session.key, version, session.class)

  defp with_assigns(input, %{assigns: assigns}) when assigns == %{}, do: input
  defp with_assigns(input, %{assigns: assigns}), do: Map.put(input, "assigns", assigns)

  defp error(message), do: %Error{reason: :busy, message: message}
end
