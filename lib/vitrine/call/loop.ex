defmodule Vitrine.Call.Loop do
  @moduledoc false
  # The loop of a call, in the process that makes it. Each NIF call runs a slice of guest code and says what the call
  # needs next. Between slices the process runs plain Elixir: it can be killed, traced and timed out, and host functions
  # are ordinary function calls.

  alias Vitrine.{Error, HostFunction, Native, Telemetry, Trace}
  alias Vitrine.Call.{Failure, Frame, Log, Timeout}
  alias Vitrine.HTTP.Exchange
  alias Vitrine.Native.Permit

  # How long a new instance waits for a dirty scheduler before a normal one makes it after all, in milliseconds.
  @permit_timeout 1

  # A normal scheduler copies no more bytes than these, as in the core.
  @large 256 * 1024

  defguardp is_large(bytes) when byte_size(bytes) > @large

  @doc "Calls a plugin's function to its end."
  @spec run(Frame.t(), binary(), timeout(), Timeout.whose()) ::
          {:ok, binary()} | {:error, Error.t()}
  def run(frame, input, timeout, whose) do
    case Telemetry.handler() do
      false ->
        frame |> drive(input, timeout) |> Timeout.explain(timeout, whose)

      handler ->
        %Frame{plugin: plugin, function: function} = frame

        Telemetry.call(handler, Telemetry.called(plugin.name, function), fn ->
          frame |> drive(input, timeout) |> Timeout.explain(timeout, whose)
        end)
    end
  end

  @doc "Does the work of a call that makes its own instance, and emits the events of a call."
  @spec observed(String.t(), String.t(), (() -> result)) :: result when result: term()
  def observed(name, function, work) do
    case Telemetry.handler() do
      false -> work.()
      handler -> Telemetry.call(handler, Telemetry.called(name, function), work)
    end
  end

  @doc "Like `run/4`, without the events of a call. Errors do not say how much time was allowed."
  @spec drive(Frame.t(), binary(), timeout()) :: {:ok, binary()} | {:error, Error.t()}
  def drive(frame, input, timeout) do
    frame |> start(input, timeout, Log.level(frame)) |> continue(frame)
  end

  @doc "Calls a function of a plugin that has no instance, and leaves it without one."
  @spec run_fresh(Frame.t(), binary(), timeout()) :: {:ok, binary()} | {:error, Error.t()}
  def run_fresh(%Frame{plugin: plugin} = frame, input, timeout) do
    frame |> prefer_dirty() |> drive(input, timeout)
  after
    Native.plugin_close(plugin.ref)
  end

  @doc "Makes a plugin's instance."
  @spec initialise(Frame.t(), timeout()) :: {:ok, binary()} | {:error, Error.t()}
  def initialise(%Frame{plugin: plugin} = frame, timeout) do
    Telemetry.span(
      [:vitrine, :instantiate],
      %{plugin: Telemetry.tag(plugin.name)},
      &Telemetry.outcome/1,
      fn ->
        frame |> prefer_dirty() |> start_instance(timeout, Log.level(frame)) |> continue(frame)
      end
    )
  end

  # Making an instance takes tens of microseconds that cannot be interrupted, and often many are to be made. If more
  # than one process waits for each normal scheduler, dirty schedulers make them, if they have time for it.
  defp prefer_dirty(%Frame{scheduler: :auto} = frame),
    do: if(crowded?(), do: %{frame | scheduler: :prefer_dirty}, else: frame)

  defp prefer_dirty(frame), do: frame

  defp crowded? do
    # The last queue is that of the dirty schedulers.
    lengths = :erlang.statistics(:run_queue_lengths)
    Enum.sum(lengths) - List.last(lengths) > length(lengths) - 1
  end

  defp start_instance(%Frame{scheduler: :auto, plugin: %{ref: ref}}, timeout, log_level),
    do: Native.plugin_initialise(ref, timeout, log_level)

  defp start_instance(%Frame{scheduler: scheduler, plugin: %{ref: ref}}, timeout, log_level) do
    case permit(scheduler, timeout) do
      # No time is left to begin, or it begins on a normal scheduler.
      {nil, left} -> Native.plugin_initialise(ref, left, log_level)
      {permit, left} -> Native.plugin_initialise_dirty(permit, ref, left, log_level)
    end
  end

  # A permit and what is left of the timeout. The permit is `nil` if no time is left, or if it is only preferred and
  # cannot be had soon.
  defp permit(:prefer_dirty, timeout) do
    case Permit.take(min(timeout, @permit_timeout)) do
      :over when timeout == :infinity -> {nil, :infinity}
      :over -> {nil, max(timeout - @permit_timeout, 0)}
      {permit, _left} -> {permit, timeout}
    end
  end

  defp permit(_scheduler, timeout) do
    with :over <- Permit.take(timeout), do: {nil, 0}
  end

  @doc "Runs the first slice of a call, on a normal scheduler unless it is known to take too long for that."
  @spec start(Frame.t(), binary(), timeout(), integer()) :: tuple()
  def start(%{scheduler: :auto, stdin: nil} = frame, input, timeout, log_level)
      when not is_large(input) do
    %{plugin: %{ref: ref}, function: function} = frame
    Native.call_start(ref, function, input, timeout, log_level)
  end

  def start(%Frame{stdin: nil} = frame, input, timeout, log_level) do
    %{plugin: %{ref: ref}, function: function, scheduler: scheduler} = frame

    case permit(if(is_large(input), do: :dirty, else: scheduler), timeout) do
      {nil, left} -> Native.call_start(ref, function, input, left, log_level)
      {permit, left} -> Native.call_start_dirty(permit, ref, function, input, left, log_level)
    end
  end

  def start(%Frame{stdin: stdin} = frame, input, timeout, log_level) do
    %{plugin: %{ref: ref}, function: function} = frame

    case permit(:dirty, timeout) do
      {nil, 0} ->
        Native.call_start(ref, function, input, 0, log_level)

      {permit, left} ->
        Native.call_start_stdin(permit, ref, function, {input, stdin}, left, log_level)
    end
  end

  @doc "Tells whether `start/4` would keep its scheduler no longer than about a millisecond."
  @spec short_start?(Frame.t(), binary()) :: boolean()
  def short_start?(%Frame{scheduler: scheduler, stdin: stdin}, input),
    do: scheduler == :auto and stdin == nil and not is_large(input)

  @doc "Continues a call from what its last slice asked for, to its end."
  @spec continue(tuple(), Frame.t(), keyword()) :: {:ok, binary()} | {:error, Error.t()}
  def continue(step, frame, failure \\ [])

  def continue({:ok, _output} = done, _frame, _failure), do: done

  def continue({:error, details}, %Frame{plugin: plugin, function: function}, failure) do
    known = [plugin: plugin.name, function: function, host_functions: plugin.host_functions]
    {:error, Failure.error(details, known ++ failure)}
  end

  def continue({:output, call}, frame, failure) do
    call |> Permit.for_call() |> Native.call_output(call) |> continue(frame, failure)
  end

  def continue({:slice, call}, frame, failure) do
    call |> resume_dirty(:go) |> continue(frame, failure)
  end

  def continue({:log, call, level, message, scheduler}, frame, failure) do
    guard(call, fn ->
      Trace.note(frame, :log, %{level: Log.name(level), message: message}, fn ->
        Log.write(frame, level, message)
      end)
    end)

    call |> resume({:values, []}, scheduler, frame) |> continue(frame, failure)
  end

  def continue({:print, call, stream, text, scheduler}, frame, failure) do
    guard(call, fn ->
      Trace.note(frame, :print, %{stream: stream, text: text}, fn ->
        Log.print(frame, stream, text)
      end)
    end)

    call |> resume({:values, []}, scheduler, frame) |> continue(frame, failure)
  end

  def continue({:host_function, call, index, args, results, scheduler}, frame, _failure) do
    %Frame{plugin: plugin, context: context} = frame
    function = elem(plugin.host_functions, index)

    # If nobody observes the call, nothing has to be made for observers and none of them can raise.
    {reply, failure} =
      if Trace.observed?(frame) do
        guard(call, fn ->
          Trace.host_call(frame, :host_function, %{name: function.name, args: args}, fn ->
            HostFunction.run(function, args, results, context)
          end)
        end)
      else
        HostFunction.run(function, args, results, context)
      end

    call |> resume(reply, scheduler, frame) |> continue(frame, failure)
  end

  def continue({:http, call, request, milliseconds, scheduler}, frame, _failure) do
    cancelled? = fn -> Native.call_cancelled(call) end

    {method, url, _, _} = request

    {reply, failure} =
      guard(call, fn ->
        Trace.host_call(frame, :http, %{name: method, url: Exchange.shown(url)}, fn ->
          case Exchange.run(frame.plugin.http, request, milliseconds, cancelled?) do
            {:ok, response} -> {{:http, response}, []}
            {:error, message, failure} -> {{:error, message}, failure}
            :timeout -> {:timeout, []}
          end
        end)
      end)

    call |> resume(reply, scheduler, frame) |> continue(frame, failure)
  end

  def continue({:wait, call, wake, milliseconds}, frame, failure) do
    receive do
      {:vitrine_wake, ^wake} -> :ok
    after
      milliseconds -> :ok
    end

    step = resume(call, :go, :normal, frame)
    flush(wake)
    continue(step, frame, failure)
  end

  # An exception here is not the plugin's: it comes from the sink of a trace, for example. The waiting guest would keep
  # the plugin busy until this process collects its garbage, so the call is dropped at once.
  defp guard(call, work) do
    work.()
  catch
    kind, reason ->
      Native.call_drop(call)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp resume(call, reply, :normal, %{scheduler: scheduler}) when scheduler != :dirty do
    if large?(reply) do
      resume_dirty(call, reply)
    else
      Native.call_resume(call, reply)
    end
  end

  defp resume(call, reply, _scheduler, _frame), do: resume_dirty(call, reply)

  defp resume_dirty(call, reply) do
    case Permit.for_call(call) do
      # Whatever the guest waits for, it is told that its time has passed.
      :over -> Native.call_resume(call, :timeout)
      permit -> Native.call_resume_dirty(permit, call, reply)
    end
  end

  defp large?({:values, [{:binary, bytes} | _]}) when is_large(bytes), do: true
  defp large?({:values, [_ | rest]}), do: large?({:values, rest})
  defp large?({:http, {_status, headers, body}}), do: is_large(body) or many?(headers)
  defp large?({:error, text}), do: is_large(text)
  defp large?(_reply), do: false

  # Each header takes some time to copy, and each byte a little.
  defp many?(headers) do
    length(headers) > 200 or
      IO.iodata_length(Enum.map(headers, fn {name, value} -> [name, value] end)) > 16_384
  end

  # A wake-up that arrived together with the deadline must not stay in the mailbox.
  defp flush(wake) do
    receive do
      {:vitrine_wake, ^wake} -> :ok
    after
      0 -> :ok
    end
  end
end
