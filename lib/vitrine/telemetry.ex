defmodule Vitrine.Telemetry do
  @moduledoc """
  The events that Vitrine emits, and where they go.

  Where the application `:telemetry` runs, they are its events, and `:telemetry.attach_many/4` is
  all there is to do:

      :telemetry.attach_many("plugins", Vitrine.Telemetry.events(), &MyApp.Metrics.handle/4, nil)

  Vitrine does not depend on it. Without it, or instead of it, one handler of your own takes them: a
  function of an event's name, measurements and metadata, from `config/config.exs`

      config :vitrine, :telemetry_handler, {MyApp.Metrics, :handle}

  or by `attach/1`. `config :vitrine, :telemetry_handler, false` turns events off.

  Handlers run in the process that the event is about, for a call in the caller, and it waits for
  them. A handler of your own that fails is logged and detached, as `:telemetry` does it too.

  Without a handler and without `:telemetry`, an event costs some nanoseconds.

  ## Events

  Times are in native units, as `System.monotonic_time/0` has them. `result` is `:ok` or `:error`,
  and with `:error` there is the `Vitrine.Error` as `error`, otherwise `nil`.

  | event | when | measurements | metadata |
  |---|---|---|---|
  | `[:vitrine, :call, :start]` | a call begins | `monotonic_time`, `system_time` | that of the call |
  | `[:vitrine, :call, :stop]` | it has ended, well or not | `duration`, `monotonic_time` | that of the call, `result`, `error` |
  | `[:vitrine, :call, :exception]` | it raised, which is a bug or a wrong option | `duration`, `monotonic_time` | that of the call, `kind`, `reason`, `stacktrace` |
  | `[:vitrine, :host_call, :stop]` | a plugin called a host function, or made an HTTP request | `duration`, `monotonic_time` | `plugin`, `function` (of the plugin), `kind` (`:host_function` or `:http`), `name` (of the host function, or the request's method), `result` (as the plugin sees it, `:ok` or `:error`) |
  | `[:vitrine, :compile, :stop]` | a module was compiled, or found in use or on disk | `duration`, `monotonic_time`, `bytes` (of the source) | `plugin` (or `nil`), `module`, `from`, `result`, `error` |
  | `[:vitrine, :instantiate, :stop]` | an instance was made and initialised, ahead of calls | `duration`, `monotonic_time` | `plugin`, `result`, `error` |
  | `[:vitrine, :snapshot, :stop]` | a plugin was initialised for a snapshot, and that taken | `duration`, `monotonic_time` | `plugin`, `result`, `error` |
  | `[:vitrine, :pool, :queue]` | a caller that had to wait got an instance of a pool, or did not | `duration` (of the wait), `monotonic_time` | `pool` (pid), `result` (`:ok`, or the reason of the error) |
  | `[:vitrine, :pool, :upgrade]` | an upgrade of a pool came to its end, in the process that asked | `duration`, `monotonic_time` | `pool` (pid), `result`, `error` |
  | `[:vitrine, :server, :queue]` | a queued call of a server had its turn | `duration` (of the wait), `monotonic_time` | `server` (pid), `plugin` |
  | `[:vitrine, :server, :upgrade]` | a server's upgrade came to its end | `duration`, `monotonic_time` | `server` (pid), `plugin`, `result`, `error` |
  | `[:vitrine, :plug, :stop]` | the plugin of a `Vitrine.Plug` was asked | `duration`, `monotonic_time` | `plugin`, `function`, `phase` (`:request` or `:response`), `action` (`:continue`, `:respond` or `:error`), `error` |

  Of compiling, `from` says where the native code came from: `:memory`, because the module is in use or is
  just being compiled for somebody else, `:disk`, from the [cache](compiling.md#native-code-on-disk),
  `:compiler`, if it was in neither; `nil` with an error. So the first two are the hits of the cache, and the
  third its misses.

  The metadata of a call is `plugin`, the plugin's name, `function`, `server`, and
  `telemetry_span_context`, a reference that is the same for all events of one call. For a call of a
  `Vitrine.Server` or a `Vitrine.Pool`, `server` is what was called, the time in its queue is part of
  the duration, and `plugin` is `nil`; otherwise `server` is.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|, name: "events")
      iex> test = self()
      iex> Vitrine.Telemetry.attach(fn event, _measurements, metadata ->
      ...>   if self() == test, do: send(test, {event, metadata.function})
      ...> end)
      iex> Vitrine.call(plugin, "run")
      iex> Vitrine.Telemetry.detach()
      iex> receive do event -> event end
      {[:vitrine, :call, :start], "run"}
      iex> receive do event -> event end
      {[:vitrine, :call, :stop], "run"}
  """

  require Logger

  @events [
    [:vitrine, :call, :start],
    [:vitrine, :call, :stop],
    [:vitrine, :call, :exception],
    [:vitrine, :host_call, :stop],
    [:vitrine, :compile, :stop],
    [:vitrine, :instantiate, :stop],
    [:vitrine, :snapshot, :stop],
    [:vitrine, :pool, :queue],
    [:vitrine, :pool, :upgrade],
    [:vitrine, :server, :queue],
    [:vitrine, :server, :upgrade],
    [:vitrine, :plug, :stop]
  ]

  @typedoc "The name of an event, see `events/0`."
  @type event :: [atom(), ...]

  @typedoc "What takes events: a function, or the name of one, with three arguments."
  @type handler :: (event(), map(), map() -> term()) | {module(), atom()}

  # The handler, or false if there is none.
  @key __MODULE__

  @doc """
  The names of all events.

      iex> [:vitrine, :call, :stop] in Vitrine.Telemetry.events()
      true
  """
  @spec events() :: [event()]
  def events, do: @events

  @doc """
  Makes `handler` take all events, in the place of the one before it and of `:telemetry`.

  Raises `ArgumentError` if it is no function of three arguments.
  """
  @spec attach(handler()) :: :ok
  def attach(handler), do: :persistent_term.put(@key, handler!(handler))

  @doc "Goes back to what there was without `attach/1`: the configured handler, or `:telemetry`."
  @spec detach() :: :ok
  def detach do
    :persistent_term.erase(@key)
    :ok
  end

  @doc false
  # What takes events, or false. This is all that a call costs if nobody wants them.
  def handler do
    case :persistent_term.get(@key, nil) do
      nil -> find()
      handler -> handler
    end
  end

  @doc false
  # Emits an event; `measurements` get the time.
  @spec emit(event(), map(), map()) :: :ok
  def emit(event, measurements, metadata) do
    with handler when handler != false <- handler() do
      now = System.monotonic_time()
      run(handler, event, Map.put_new(measurements, :monotonic_time, now), metadata)
    end

    :ok
  end

  @doc false
  # Runs `work` and emits `event` with its duration, and what `describe` makes of its result.
  @spec measure(event(), map(), (result -> map()), (() -> result)) :: result when result: term()
  def measure(event, measurements \\ %{}, describe, work) do
    case handler() do
      false ->
        work.()

      handler ->
        began = System.monotonic_time()
        result = work.()
        now = System.monotonic_time()
        times = %{duration: now - began, monotonic_time: now}
        run(handler, event, Map.merge(measurements, times), describe.(result))
        result
    end
  end

  @doc false
  # Runs a call, with the events of one.
  def call(handler, metadata, work) do
    metadata = Map.put(metadata, :telemetry_span_context, make_ref())
    began = System.monotonic_time()
    start = %{monotonic_time: began, system_time: System.system_time()}
    run(handler, [:vitrine, :call, :start], start, metadata)

    try do
      work.()
    catch
      kind, reason ->
        failure = %{kind: kind, reason: reason, stacktrace: __STACKTRACE__}
        stop(handler, [:vitrine, :call, :exception], began, Map.merge(metadata, failure))
        :erlang.raise(kind, reason, __STACKTRACE__)
    else
      result ->
        stop(handler, [:vitrine, :call, :stop], began, Map.merge(metadata, outcome(result)))
        result
    end
  end

  @doc false
  # The metadata that a result makes.
  def outcome({:error, %Vitrine.Error{} = error}), do: %{result: :error, error: error}
  def outcome(_ok), do: %{result: :ok, error: nil}

  defp stop(handler, event, began, metadata) do
    now = System.monotonic_time()
    run(handler, event, %{duration: now - began, monotonic_time: now}, metadata)
  end

  defp run(:telemetry, event, measurements, metadata) do
    # Not a call that the compiler would miss the module of.
    apply(:telemetry, :execute, [event, measurements, metadata])
  end

  defp run(handler, event, measurements, metadata) do
    # It may have failed, or another one been attached, since the work began.
    if attached?(handler) do
      case handler do
        {module, function} -> apply(module, function, [event, measurements, metadata])
        function -> function.(event, measurements, metadata)
      end
    end
  catch
    kind, reason ->
      # No other handler that was attached meanwhile.
      if attached?(handler), do: :persistent_term.put(@key, false)

      Logger.error(
        "the telemetry handler #{inspect(handler)} failed with #{inspect(event)} and was detached: " <>
          Exception.format(kind, reason, __STACKTRACE__)
      )
  end

  defp attached?(handler), do: :persistent_term.get(@key, nil) == handler

  @doc false
  # Checks the configured handler, when the application starts.
  @spec check_handler!() :: :ok
  def check_handler! do
    handler = Application.get_env(:vitrine, :telemetry_handler)
    unless handler in [nil, false], do: handler!(handler)
    :ok
  end

  # Looked up once, unless :telemetry is there and has not been started yet.
  defp find do
    case Application.get_env(:vitrine, :telemetry_handler) do
      nil -> if Code.ensure_loaded?(:telemetry), do: if_started(), else: keep(false)
      false -> keep(false)
      handler -> keep(handler!(handler))
    end
  end

  defp if_started do
    started? = List.keymember?(Application.started_applications(), :telemetry, 0)
    if started?, do: keep(:telemetry), else: false
  end

  defp keep(handler) do
    :persistent_term.put(@key, handler)
    handler
  end

  defp handler!(handler) when is_function(handler, 3), do: handler

  defp handler!({module, function} = handler) when is_atom(module) and is_atom(function),
    do: handler

  defp handler!(other) do
    raise ArgumentError,
          "expected a telemetry handler to be a function of three arguments or {module, function}, " <>
            "got: #{inspect(other)}"
  end
end
