defmodule Vitrine.Trace do
  @moduledoc """
  What happens during one call, for debugging: see `Vitrine.trace/4`.

  Each event is a map with

    * `:kind` - `:host_function`, `:http`, `:log`, `:print`, at the end `:captured`, and as the last
      `:call`
    * `:at` - when it began, in microseconds since the call did
    * `:us` - how long it took, in microseconds
    * and by its kind: a host function's `:name`, `:args` and `:reply`, a request's method as `:name`,
      its `:url` and the `:reply`, the `:level` and `:message` that was logged, the `:stream` and
      `:text` that was printed or captured, the `:function`, `:input` and `:result` of the call

  A `:reply` is `{:ok, results}`, for a request `{:ok, {status, headers, body}}`, or `{:error, text}`,
  `:timeout` or `:failed`. Arguments, results and texts are as the guest has them: bytes and numbers.

  What is captured, by `stdout: :capture` of `Vitrine.Wasi`, is an event only where the instance is not the
  caller's to ask by `Vitrine.take_printed/1`: in a call of a pool, and of a compiled plugin. There is one
  for each stream that anything was printed to.

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

  Only what the calling process sees is traced: a call from another node to a `Vitrine.Server` is not.
  """

  @typedoc "An event of a call."
  @type event :: %{
          required(:kind) =>
            :host_function | :http | :log | :print | :captured | :call | :dropped,
          optional(atom()) => term()
        }

  @typedoc "What takes events as they happen: when it is called, the event is over."
  @type sink :: (event() -> term())

  # What collect/2 keeps if nobody says otherwise.
  @max_events 1_000

  @typedoc false
  @type t :: {sink(), began :: integer()}

  alias Vitrine.{Native, Telemetry}

  @doc false
  # The option `:trace` of a call, as the plugin of its frame carries it.
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
  # Runs a call of an instance that nobody will ask for what it captured: of a pool, where another call may
  # have left something, or one that is dropped then.
  def captured(%{trace: nil}, work), do: work.()

  def captured(%{trace: trace, ref: ref}, work) do
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
  # Runs something small of the host's: logs a line.
  def note(%{trace: nil}, _kind, _details, work), do: work.()

  def note(%{trace: trace}, kind, details, work) do
    began = System.monotonic_time()
    result = work.()
    tell(trace, Map.put(details, :kind, kind), began, System.monotonic_time())
    result
  end

  @doc false
  # Whether anybody is told what a plugin waits for.
  def observed?(plugin), do: plugin.trace != nil or Telemetry.handler() != false

  @doc false
  # Runs what a plugin waits for, which gives a reply and what an error is to carry.
  def host_call({plugin, function, _context}, kind, details, work) do
    if observed?(plugin) do
      metadata = %{
        plugin: Telemetry.tag(plugin.name),
        function: Telemetry.tag(function),
        kind: kind,
        # A method is what the guest says it is.
        name: Telemetry.tag(details.name)
      }

      Telemetry.span([:vitrine, :host_call], metadata, &outcome/1, fn ->
        began = System.monotonic_time()
        {reply, failure} = work.()
        now = System.monotonic_time()
        tell(plugin.trace, Map.merge(details, %{kind: kind, reply: show(reply)}), began, now)
        {reply, failure}
      end)
    else
      work.()
    end
  end

  defp show({:values, values}), do: {:ok, Enum.map(values, fn {_type, value} -> value end)}
  defp show({:http, response}), do: {:ok, response}
  defp show(failure), do: failure

  # As the plugin sees it.
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
  # Runs `work` with a sink and gives its result and the events.
  @spec collect(pos_integer() | nil, (sink() -> result)) :: {result, [event()]}
        when result: term()
  def collect(max, work) do
    max = max!(max || @max_events)
    # Not a message to this process: its host functions may receive whatever comes.
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
