defmodule Vitrine.Telemetry do
  @moduledoc """
  The events that Vitrine emits, and their handlers.

  If the application `:telemetry` runs, events are emitted through it, and `:telemetry.attach_many/4` attaches a
  handler:

      :telemetry.attach_many("plugins", Vitrine.Telemetry.events(), &MyApp.Metrics.handle/4, nil)

  Vitrine does not depend on `:telemetry`. Without it, or in addition to it, attach functions that take an event's
  name, measurements and metadata. Each has an id, as with `:telemetry`:

      Vitrine.Telemetry.attach(:my_metrics, {MyApp.Metrics, :handle})

  One handler can be configured in `config/config.exs`, or attached by `attach/1`. It replaces `:telemetry`:

      config :vitrine, :telemetry_handler, {MyApp.Metrics, :handle}

  `config :vitrine, :telemetry_handler, false` turns `:telemetry` off as well. Handlers of `attach/2` get their events
  in any case.

  A handler runs in the process that the event is about, which waits for it. For a call that is the caller. Your own
  handler is logged and detached if it fails, as with `:telemetry`. Without handlers and without `:telemetry`, an
  event costs some nanoseconds.

  ## Events

  Times are in native units, as of `System.monotonic_time/0`.

  An operation with a beginning and an end is a span, by the conventions of `:telemetry.span/3`:

    * `:start` has `monotonic_time` and `system_time`
    * `:stop` and `:exception` have `duration` and `monotonic_time`
    * All events of a span have the same `telemetry_span_context`, and the last one also has the metadata of the first
    * An `:exception` has `kind`, `reason` (what was raised) and `stacktrace`

  | event | when | measurements | metadata |
  |---|---|---|---|
  | `[:vitrine, :call, :start]` | a call begins, including one by `Vitrine.run/4` | `monotonic_time`, `system_time` | `plugin`, `pool`, `function`, `server` |
  | `[:vitrine, :call, :stop]` | the call has ended, successfully or not | `duration`, `monotonic_time` | `result`, `reason`, `error` |
  | `[:vitrine, :call, :exception]` | the call raised, because of a bug or a wrong option | `duration`, `monotonic_time` | `kind`, `reason`, `stacktrace` |
  | `[:vitrine, :host_call, :start]` | a plugin calls a host function, or makes an HTTP request | `monotonic_time`, `system_time` | `plugin`, `function` (of the plugin), `kind` (`:host_function` or `:http`), `name` (of the host function, or the request's method) |
  | `[:vitrine, :host_call, :stop]` | the host call has ended | `duration`, `monotonic_time` | `result` (as the plugin sees it, `:ok` or `:error`), `reason` (`:error` for an error that the plugin gets, `:failed`, `:timeout`) |
  | `[:vitrine, :host_call, :exception]` | an observer raised: a function given as the option `:trace` | `duration`, `monotonic_time` | `kind`, `reason`, `stacktrace` |
  | `[:vitrine, :compile, :start]` | a module is to be compiled | `monotonic_time`, `system_time`, `bytes` (of the source) | `plugin` (`nil` if it has no name of its own), `module` |
  | `[:vitrine, :compile, :stop]` | the module was compiled, or found in use or on disk | `duration`, `monotonic_time`, `bytes` | `from`, `result`, `reason`, `error` |
  | `[:vitrine, :compile, :exception]` | it raised, because of a bug | `duration`, `monotonic_time`, `bytes` | `kind`, `reason`, `stacktrace` |
  | `[:vitrine, :instantiate, :start]` | an instance is to be made, ahead of calls | `monotonic_time`, `system_time` | `plugin` |
  | `[:vitrine, :instantiate, :stop]` | the instance was made and initialised, or this failed | `duration`, `monotonic_time` | `result`, `reason`, `error` |
  | `[:vitrine, :instantiate, :exception]` | it raised, because of a bug | `duration`, `monotonic_time` | `kind`, `reason`, `stacktrace` |
  | `[:vitrine, :snapshot, :start]` | a plugin is initialised for a snapshot | `monotonic_time`, `system_time` | `plugin` |
  | `[:vitrine, :snapshot, :stop]` | the snapshot was taken, or this failed | `duration`, `monotonic_time` | `result`, `reason`, `error` |
  | `[:vitrine, :snapshot, :exception]` | it raised, because of a bug | `duration`, `monotonic_time` | `kind`, `reason`, `stacktrace` |
  | `[:vitrine, :pool, :queue]` | a caller that had to wait got an instance of a pool, or none | `duration` (of the wait), `monotonic_time` | `pool`, `plugin`, `server` (pid), `reason`, `result` (`:ok`, or the reason) |
  | `[:vitrine, :pool, :upgrade]` | an upgrade of a pool has ended; in the process that asked for it | `duration`, `monotonic_time` | `pool`, `plugin`, `server` (pid), `result`, `reason`, `error` |
  | `[:vitrine, :server, :queue]` | a queued call of a server had its turn | `duration` (of the wait), `monotonic_time` | `plugin`, `server` (pid) |
  | `[:vitrine, :server, :upgrade]` | an upgrade of a server has ended | `duration`, `monotonic_time` | `plugin`, `server` (pid), `result`, `reason`, `error` |
  | `[:vitrine, :plug, :stop]` | the plugin of a `Vitrine.Plug` was called | `duration`, `monotonic_time` | `plugin`, `function`, `phase` (`:request` or `:response`), `action` (`:continue`, `:respond` or `:error`), `reason`, `error` |

  ## Tags

  These can be tags of metrics wherever an event has them. Each is a short text without control characters, an atom,
  or `nil`.

  | tag | what it is |
  |---|---|
  | `plugin` | the plugin's name, as in errors and log lines; for a server on another node the server's name |
  | `pool` | the name that a pool was started with, such as `"MyApp.Thumbnails"`, or its pid as text; `nil` if the call is not to a pool of this node |
  | `function` | the name of the plugin's function, as the caller gave it |
  | `reason` | the reason of the error as an atom, see `Vitrine.Error`; `nil` if there is none. Do not use it for an `:exception`, where it is what was raised |
  | `result` | `:ok` or `:error` |

  Do not use these as tags: `server` is what was called, a pid or any name, and `nil` if a plugin itself was called.
  `error` is the `Vitrine.Error`, or `nil`.

  For a call of a server or a pool, the duration includes the time in its queue.

  ## Hits and misses of the cache

  For a compilation, `from` says where the native code came from:

    * `:memory` - the module is in use, or is being compiled for another caller
    * `:disk` - the code was in the [cache](native-code-cache.md)
    * `:compiler` - the code was in neither place
    * `nil` - the compilation failed

  `:memory` and `:disk` are hits of the cache, `:compiler` is a miss.

  ## Example

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

  alias Vitrine.Error
  alias Vitrine.Telemetry.Handlers
  alias Vitrine.Text.Printable

  @events [
    [:vitrine, :call, :start],
    [:vitrine, :call, :stop],
    [:vitrine, :call, :exception],
    [:vitrine, :host_call, :start],
    [:vitrine, :host_call, :stop],
    [:vitrine, :host_call, :exception],
    [:vitrine, :compile, :start],
    [:vitrine, :compile, :stop],
    [:vitrine, :compile, :exception],
    [:vitrine, :instantiate, :start],
    [:vitrine, :instantiate, :stop],
    [:vitrine, :instantiate, :exception],
    [:vitrine, :snapshot, :start],
    [:vitrine, :snapshot, :stop],
    [:vitrine, :snapshot, :exception],
    [:vitrine, :pool, :queue],
    [:vitrine, :pool, :upgrade],
    [:vitrine, :server, :queue],
    [:vitrine, :server, :upgrade],
    [:vitrine, :plug, :stop]
  ]

  # The most bytes of a tag.
  @tag 100

  @typedoc "The name of an event, see `events/0`."
  @type event :: [atom(), ...]

  @typedoc "A handler of events: a function of three arguments, or its module and name."
  @type handler :: (event(), map(), map() -> term()) | {module(), atom()}

  @doc """
  Returns the names of all events.

      iex> [:vitrine, :call, :stop] in Vitrine.Telemetry.events()
      true
  """
  @spec events() :: [event()]
  def events, do: @events

  @doc """
  Makes `handler` take all events. It replaces the handler that was attached before, the configured handler, and
  `:telemetry`. Handlers that were attached by `attach/2` stay attached.

  Raises `ArgumentError` if `handler` is not a function of three arguments.
  """
  @spec attach(handler()) :: :ok
  def attach(handler), do: handler |> Handlers.handler!() |> Handlers.put_main()

  @doc """
  Reverses `attach/1`: events go to the configured handler again, or to `:telemetry`. Handlers that were attached by
  `attach/2` stay attached.
  """
  @spec detach() :: :ok
  def detach, do: Handlers.put_main(nil)

  @doc """
  Attaches `handler` to all events, in addition to all other handlers. `id` is any term, and is used by `detach/1`.

      iex> Vitrine.Telemetry.attach(:my_metrics, fn _event, _measurements, _metadata -> :ok end)
      :ok
      iex> Vitrine.Telemetry.attach(:my_metrics, fn _event, _measurements, _metadata -> :ok end)
      {:error, :already_exists}
      iex> Vitrine.Telemetry.detach(:my_metrics)
      :ok
      iex> Vitrine.Telemetry.detach(:my_metrics)
      {:error, :not_found}
  """
  @spec attach(id :: term(), handler()) :: :ok | {:error, :already_exists}
  def attach(id, handler), do: Handlers.add(id, handler)

  @doc "Detaches a handler that was attached by `attach/2`."
  @spec detach(id :: term()) :: :ok | {:error, :not_found}
  def detach(id), do: Handlers.remove(id)

  @doc false
  # The handler of events, or false. This is the only cost of a call if there is no handler.
  defdelegate handler, to: Handlers, as: :current

  @doc false
  defdelegate check_handler!, to: Handlers, as: :check_configured!

  @doc false
  # Emits an event, with the time added to `measurements`.
  @spec emit(event(), map(), map()) :: :ok
  def emit(event, measurements, metadata) do
    with handler when handler != false <- handler() do
      now = System.monotonic_time()
      Handlers.run(handler, event, Map.put_new(measurements, :monotonic_time, now), metadata)
    end

    :ok
  end

  @doc false
  # Runs `work` and emits `event` with its duration, and with the metadata that `describe` makes of its result.
  @spec measure(event(), (result -> map()), (() -> result)) :: result when result: term()
  def measure(event, describe, work) do
    case handler() do
      false ->
        work.()

      handler ->
        began = System.monotonic_time()
        result = work.()
        stop(handler, event, began, %{}, describe.(result))
        result
    end
  end

  @doc false
  # Runs `work` as a span, with an event when it begins and one when it ends, successfully or not. The second event has
  # the metadata that `describe` makes of the result. Both have the measurements.
  @spec span([atom(), ...], map(), map(), (result -> map()), (() -> result)) :: result
        when result: term()
  def span(name, measurements \\ %{}, metadata, describe, work) do
    case handler() do
      false -> work.()
      handler -> span(handler, name, measurements, metadata, describe, work)
    end
  end

  defp span(handler, name, measurements, metadata, describe, work) do
    metadata = Map.put(metadata, :telemetry_span_context, make_ref())
    began = System.monotonic_time()

    start = Map.merge(measurements, %{monotonic_time: began, system_time: System.system_time()})

    Handlers.run(handler, name ++ [:start], start, metadata)

    try do
      work.()
    catch
      kind, reason ->
        failure = %{kind: kind, reason: reason, stacktrace: __STACKTRACE__}
        stop(handler, name ++ [:exception], began, measurements, Map.merge(metadata, failure))
        :erlang.raise(kind, reason, __STACKTRACE__)
    else
      result ->
        metadata = Map.merge(metadata, describe.(result))
        stop(handler, name ++ [:stop], began, measurements, metadata)
        result
    end
  end

  defp stop(handler, event, began, measurements, metadata) do
    now = System.monotonic_time()
    times = %{duration: now - began, monotonic_time: now}
    Handlers.run(handler, event, Map.merge(measurements, times), metadata)
  end

  @doc false
  # Runs a call, and emits its events.
  def call(handler, metadata, work),
    do: span(handler, [:vitrine, :call], %{}, metadata, &outcome/1, work)

  @doc false
  # The metadata of a call of a plugin, or of one by a server or a pool, which has a label.
  @spec called(String.t() | nil, String.t(), GenServer.server() | nil, String.t() | nil) :: map()
  def called(plugin, function, server \\ nil, pool \\ nil),
    do: %{plugin: tag(plugin), pool: pool, function: tag(function), server: server}

  @doc false
  # A name that other people chose, made fit for printing.
  def tag(nil), do: nil
  def tag(name), do: Printable.text(name, @tag)

  @doc false
  # Returns the metadata of a result.
  def outcome({:error, %Error{} = error}),
    do: %{result: :error, error: error, reason: error.reason}

  def outcome(_ok), do: %{result: :ok, error: nil, reason: nil}
end
