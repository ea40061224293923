defmodule Vitrine.Trace do
  @moduledoc """
  The events of one call, for debugging, see `Vitrine.trace/4`.

  Each event is a map with

    * `:kind` - `:host_function`, `:http`, `:log` or `:print`; at the end `:captured`, and last `:call`
    * `:at` - when it began, in microseconds since the call began
    * `:us` - how long it took, in microseconds

  and, depending on its kind:

  | kind | keys |
  |---|---|
  | `:host_function` | the function's `:name`, `:args` and `:reply` |
  | `:http` | the request's method as `:name`, its `:url` and the `:reply` |
  | `:log` | the `:level` and the `:message` |
  | `:print`, `:captured` | the `:stream` and the `:text` |
  | `:call` | the `:function`, the `:input` and the `:result` of the call |

  A `:reply` is `{:ok, results}`, for a request `{:ok, {status, headers, body}}`, or `{:error, text}`, `:timeout` or
  `:failed`. Arguments, results and texts are as the guest has them: bytes and numbers.

  ## Captured prints

  Prints that are captured, by `stdout: :capture` of `Vitrine.Wasi`, are events only in calls of a pool and of a
  compiled plugin. There the caller has no instance that it could pass to `Vitrine.take_printed/1`. There is one event
  for each stream that anything was printed to:

      iex> {:ok, compiled} =
      ...>   Vitrine.compile(
      ...>     ~S|
      ...>       (module
      ...>         (import "wasi_snapshot_preview1" "fd_write"
      ...>           (func $write (param i32 i32 i32 i32) (result i32)))
      ...>         (memory (export "memory") 1)
      ...>         (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")
      ...>         (func (export "run")
      ...>           (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))
      ...>     |,
      ...>     wasi: [stdout: :capture]
      ...>   )
      iex> {{:ok, ""}, [printed, _call]} = Vitrine.trace(compiled, "run")
      iex> {printed.kind, printed.stream, printed.text}
      {:captured, :stdout, "hello\\n"}

  Only events that the calling process sees are traced. A call from another node to a `Vitrine.Server` is not traced.
  """

  @typedoc "An event of a call."
  @type event :: %{
          required(:kind) =>
            :host_function | :http | :log | :print | :captured | :call | :dropped,
          optional(atom()) => term()
        }

  @typedoc "A function that takes events as they happen. It is called when the event has ended."
  @type sink :: (event() -> term())

  # How many events collect/2 keeps by default.
  @max_events 1_000

  @typedoc false
  @type t :: {sink(), began :: integer()}

  alias Vitrine.{Native, Telemetry}

  @doc false
  # The option `:trace` of a call, as its frame carries it.
  @spec begin!(term()) :: t() | nil
  def begin!(nil), do: nil
  def begin!(sink) when is_function(sink, 1), do: {sink, System.monotonic_time()}

  def begin!(other) do
    raise ArgumentError,
          "expected :trace to be a function of one argument, got: #{inspect(other)}"
  end

  @doc false
  # Runs a whole call.
  def call(nil, _function, _input, work), do: work.()

  def call({_sink, began} = trace, function, input, work) do
    result = work.()
    event = %{kind: :call, function: function, input: input, result: result}
    tell(trace, event, began, System.monotonic_time())
    result
  end

  @doc false
  # Runs a call of an instance whose captured prints the caller cannot take later: an instance of a pool, where an
  # earlier call may have left prints, or an instance that is dropped after the call.
  def captured(%{trace: nil}, work), do: work.()

  def captured(%{trace: trace, plugin: %{ref: ref}}, work) do
    _of_others = Native.plugin_take_printed(ref)
    result = work.()
    {stdout, stderr} = Native.plugin_take_printed(ref)
    now = System.monotonic_time()

    for {stream, text} <- [stdout: stdout, stderr: stderr], text != "" do
      tell(trace, %{kind: :captured, stream: stream, text: text}, now, now)
    end

    result
  end

  @doc false
  # Runs a small piece of work of the host, such as logging a line.
  def note(%{trace: nil}, _kind, _details, work), do: work.()

  def note(%{trace: trace}, kind, details, work) do
    began = System.monotonic_time()
    result = work.()
    tell(trace, Map.put(details, :kind, kind), began, System.monotonic_time())
    result
  end

  @doc false
  # Whether a trace or a telemetry handler gets to know what a plugin waits for.
  def observed?(frame), do: frame.trace != nil or Telemetry.handler() != false

  @doc false
  # Runs what a plugin waits for. `work` gives the reply for the plugin and what an error is to carry.
  def host_call(frame, kind, details, work) do
    if observed?(frame) do
      metadata = %{
        plugin: Telemetry.tag(frame.plugin.name),
        function: Telemetry.tag(frame.function),
        kind: kind,
        # A request's method is a text that the guest chose.
        name: Telemetry.tag(details.name)
      }

      Telemetry.span([:vitrine, :host_call], metadata, &outcome/1, fn ->
        began = System.monotonic_time()
        {reply, failure} = work.()
        now = System.monotonic_time()
        tell(frame.trace, Map.merge(details, %{kind: kind, reply: show(reply)}), began, now)
        {reply, failure}
      end)
    else
      work.()
    end
  end

  defp show({:values, values}), do: {:ok, Enum.map(values, fn {_type, value} -> value end)}
  defp show({:http, response}), do: {:ok, response}
  defp show(failure), do: failure

  # The outcome as the plugin sees it.
  defp outcome({{kind, _}, _failure}) when kind in [:values, :http],
    do: %{result: :ok, reason: nil}

  defp outcome({{:error, _text}, _failure}), do: %{result: :error, reason: :error}
  defp outcome({reason, _failure}) when is_atom(reason), do: %{result: :error, reason: reason}

  defp tell(nil, _event, _began, _now), do: :ok

  defp tell({sink, start}, event, began, now) do
    times = %{at: microseconds(began - start), us: microseconds(now - began)}
    sink.(Map.merge(event, times))
  end

  defp microseconds(native), do: System.convert_time_unit(native, :native, :microsecond)

  @doc false
  # Runs `work` with a sink, and returns its result and the events.
  @spec collect(pos_integer() | nil, (sink() -> result)) :: {result, [event()]}
        when result: term()
  def collect(max, work) do
    max = max!(max || @max_events)
    # The events are not sent to this process, whose host functions may receive any message.
    key = {__MODULE__, make_ref()}
    Process.put(key, {[], 0})

    sink = fn event ->
      {events, count} = Process.get(key)
      keep? = count < max or event.kind in [:captured, :call]
      Process.put(key, {if(keep?, do: [event | events], else: events), count + 1})
    end

    try do
      result = work.(sink)
      {events, count} = Process.get(key)
      {result, Enum.reverse(dropped(count - length(events)) ++ events)}
    after
      Process.delete(key)
    end
  end

  defp max!(max) when is_integer(max) and max > 0, do: max

  defp max!(other) do
    raise ArgumentError, "expected :max_events to be a number from 1 on, got: #{inspect(other)}"
  end

  defp dropped(count) when count > 0, do: [%{kind: :dropped, count: count}]
  defp dropped(_count), do: []
end
