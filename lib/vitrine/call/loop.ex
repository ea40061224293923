defmodule Vitrine.Call.Loop do
  @moduledoc false
  # The loop that every call runs in the process that makes it. Each NIF call is a slice of guest
  # code and says what the call needs next; between slices the process is plain Elixir, so it can
  # be killed, traced and timed out, and host functions are ordinary function calls.

  alias Vitrine.{Error, HostFunction, Native, Plugin, Telemetry, Trace}
  alias Vitrine.Call.{Deadline, Log}
  alias Vitrine.HTTP.Exchange
  alias Vitrine.Native.Permit

  # How long a new instance waits for a dirty scheduler before a normal one makes it after all, in milliseconds.
  @patience 1

  # Bytes that are too many to be copied on a normal scheduler, as in the core.
  @large 256 * 1024

  defguardp is_large(bytes) when byte_size(bytes) > @large

  @typedoc "What a call carries from slice to slice."
  @type frame :: {Plugin.t(), function :: String.t() | nil, context :: term()}

  @doc "Calls a plugin's function to its end."
  @spec run(frame(), binary(), timeout(), Deadline.whose()) ::
          {:ok, binary()} | {:error, Error.t()}
  def run({plugin, function, _} = frame, input, timeout, whose) do
    case Telemetry.handler() do
      false ->
        frame |> drive(input, timeout) |> Deadline.told(timeout, whose)

      handler ->
        Telemetry.call(handler, called(plugin.name, function), fn ->
          frame |> drive(input, timeout) |> Deadline.told(timeout, whose)
        end)
    end
  end

  @doc "Does the work of a call that makes an instance of its own, with the events of a call."
  @spec observed(String.t(), String.t(), (() -> result)) :: result when result: term()
  def observed(name, function, work) do
    case Telemetry.handler() do
      false -> work.()
      handler -> Telemetry.call(handler, called(name, function), work)
    end
  end

  defp called(name, function) do
    %{plugin: Telemetry.tag(name), function: Telemetry.tag(function), pool: nil, server: nil}
  end

  @doc "The same, without the events of a call, and without a word in errors of how much time was allowed."
  @spec drive(frame(), binary(), timeout()) :: {:ok, binary()} | {:error, Error.t()}
  def drive({plugin, _, _} = frame, input, timeout) do
    frame |> start(input, timeout, Log.level(plugin)) |> continue(frame)
  end

  @doc "Calls a function of a plugin that has no instance, and leaves it without one."
  @spec run_fresh(frame(), binary(), timeout()) :: {:ok, binary()} | {:error, Error.t()}
  def run_fresh({plugin, function, context}, input, timeout) do
    drive({prefer_dirty(plugin), function, context}, input, timeout)
  after
    Native.plugin_close(plugin.ref)
  end

  @doc "Makes a plugin's instance."
  @spec initialise(frame(), timeout()) :: {:ok, binary()} | {:error, Error.t()}
  def initialise({plugin, _, _} = frame, timeout) do
    Telemetry.span(
      [:vitrine, :instantiate],
      %{plugin: Telemetry.tag(plugin.name)},
      &Telemetry.outcome/1,
      fn ->
        plugin |> prefer_dirty() |> start_instance(timeout, Log.level(plugin)) |> continue(frame)
      end
    )
  end

  # Making an instance takes tens of microseconds in one piece, and often many are to be made. Where more than one
  # process waits for each normal scheduler, dirty schedulers make them, if they have time for it.
  defp prefer_dirty(%{scheduler: :auto} = plugin),
    do: if(crowded?(), do: %{plugin | scheduler: :prefer_dirty}, else: plugin)

  defp prefer_dirty(plugin), do: plugin

  defp crowded? do
    # The last queue is that of the dirty schedulers.
    lengths = :erlang.statistics(:run_queue_lengths)
    Enum.sum(lengths) - List.last(lengths) > length(lengths) - 1
  end

  defp start_instance(%{scheduler: :auto, ref: ref}, timeout, log_level),
    do: Native.plugin_initialise(ref, timeout, log_level)

  defp start_instance(%{scheduler: scheduler, ref: ref}, timeout, log_level) do
    case permit(scheduler, timeout) do
      # It has no time to begin, or begins on a normal scheduler.
      {nil, left} -> Native.plugin_initialise(ref, left, log_level)
      {permit, left} -> Native.plugin_initialise_dirty(permit, ref, left, log_level)
    end
  end

  # A permit and what is left of the timeout. It is `nil` if no time is left, or if one that is only preferred is not
  # to be had soon.
  defp permit(:prefer_dirty, timeout) do
    case Permit.take(min(timeout, @patience)) do
      :over when timeout == :infinity -> {nil, :infinity}
      :over -> {nil, max(timeout - @patience, 0)}
      {permit, _left} -> {permit, timeout}
    end
  end

  defp permit(_scheduler, timeout) do
    with :over <- Permit.take(timeout), do: {nil, 0}
  end

  @doc "The first slice of a call: on a normal scheduler, unless that is known to be wrong."
  def start({%{stdin: stdin, ref: ref}, function, _}, input, timeout, log_level)
      when is_binary(stdin) do
    case permit(:dirty, timeout) do
      {nil, 0} ->
        Native.call_start(ref, function, input, 0, log_level)

      {permit, left} ->
        Native.call_start_stdin(permit, ref, function, {input, stdin}, left, log_level)
    end
  end

  def start({%{scheduler: scheduler, ref: ref}, function, _}, input, timeout, log_level)
      when scheduler != :auto or is_large(input) do
    case permit(if(is_large(input), do: :dirty, else: scheduler), timeout) do
      {nil, left} -> Native.call_start(ref, function, input, left, log_level)
      {permit, left} -> Native.call_start_dirty(permit, ref, function, input, left, log_level)
    end
  end

  def start({%{ref: ref}, function, _}, input, timeout, log_level) do
    Native.call_start(ref, function, input, timeout, log_level)
  end

  @doc "Whether `start/4` would keep its scheduler no longer than about a millisecond."
  def short_start?(%Plugin{scheduler: scheduler, stdin: stdin}, input) do
    scheduler == :auto and stdin == nil and not is_large(input)
  end

  @doc "The plugin of a call with this standard input, or what to say to who gave it."
  @spec with_stdin(Plugin.t(), binary() | nil) ::
          {:ok, Plugin.t()} | {:argument_error, String.t()}
  def with_stdin(plugin, nil), do: {:ok, plugin}
  def with_stdin(%Plugin{wasi?: true} = plugin, stdin), do: {:ok, %{plugin | stdin: stdin}}

  def with_stdin(plugin, _stdin) do
    {:argument_error,
     "the option :stdin has no effect: the plugin #{inspect(plugin.name)} was made without WASI, " <>
       "by which plugins read it; give it wasi: true"}
  end

  @doc "The same, where the caller is."
  @spec with_stdin!(Plugin.t(), binary() | nil) :: Plugin.t()
  def with_stdin!(plugin, stdin) do
    case with_stdin(plugin, stdin) do
      {:ok, plugin} -> plugin
      {:argument_error, message} -> raise ArgumentError, message
    end
  end

  @doc "Goes on from what a slice ended with, to the end of the call."
  @spec continue(tuple(), frame(), keyword()) :: {:ok, binary()} | {:error, Error.t()}
  def continue(step, frame, failure \\ [])

  def continue({:ok, _output} = done, _frame, _failure), do: done

  def continue({:error, details}, {plugin, function, _}, failure) do
    known = [plugin: plugin.name, function: function, host_functions: plugin.host_functions]
    {:error, Error.from_native(details, known ++ failure)}
  end

  def continue({:output, call}, frame, failure) do
    call |> Permit.for_call() |> Native.call_output(call) |> continue(frame, failure)
  end

  def continue({:slice, call}, frame, failure) do
    call |> resume_dirty(:go) |> continue(frame, failure)
  end

  def continue({:log, call, level, message, scheduler}, {plugin, function, _} = frame, failure) do
    guard(call, fn ->
      Trace.note(plugin, :log, %{level: Log.name(level), message: message}, fn ->
        Log.write(plugin, function, level, message)
      end)
    end)

    call |> resume({:values, []}, scheduler, plugin) |> continue(frame, failure)
  end

  def continue({:print, call, stream, text, scheduler}, {plugin, function, _} = frame, failure) do
    guard(call, fn ->
      Trace.note(plugin, :print, %{stream: stream, text: text}, fn ->
        Log.print(plugin, function, stream, text)
      end)
    end)

    call |> resume({:values, []}, scheduler, plugin) |> continue(frame, failure)
  end

  def continue({:host_function, call, index, args, results, scheduler}, frame, _failure) do
    {plugin, _, context} = frame
    function = elem(plugin.host_functions, index)

    # Without anybody to tell it to there is nothing that raises, and nothing to be made for them.
    {reply, failure} =
      if Trace.observed?(plugin) do
        guard(call, fn ->
          Trace.host_call(frame, :host_function, %{name: function.name, args: args}, fn ->
            HostFunction.run(function, args, results, context)
          end)
        end)
      else
        HostFunction.run(function, args, results, context)
      end

    call |> resume(reply, scheduler, plugin) |> continue(frame, failure)
  end

  def continue({:http, call, wish, milliseconds, scheduler}, {plugin, _, _} = frame, _failure) do
    cancelled? = fn -> Native.call_cancelled(call) end

    {method, url, _, _} = wish

    {reply, failure} =
      guard(call, fn ->
        Trace.host_call(frame, :http, %{name: method, url: Exchange.shown(url)}, fn ->
          case Exchange.run(plugin.http, wish, milliseconds, cancelled?) do
            {:ok, response} -> {{:http, response}, []}
            {:error, message, failure} -> {{:error, message}, failure}
            :timeout -> {:timeout, []}
          end
        end)
      end)

    call |> resume(reply, scheduler, plugin) |> continue(frame, failure)
  end

  def continue({:wait, call, wake, milliseconds}, {plugin, _, _} = frame, failure) do
    receive do
      {:vitrine_wake, ^wake} -> :ok
    after
      milliseconds -> :ok
    end

    step = resume(call, :go, :normal, plugin)
    flush(wake)
    continue(step, frame, failure)
  end

  # What raises here is not the plugin's, but a trace's sink or the like. The guest that waits would
  # keep the plugin busy until this process collects its garbage.
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

  defp resume(call, reply, _scheduler, _plugin), do: resume_dirty(call, reply)

  defp resume_dirty(call, reply) do
    case Permit.for_call(call) do
      # Whatever the guest waits for, it learns that its time has passed.
      :over -> Native.call_resume(call, :timeout)
      permit -> Native.call_resume_dirty(permit, call, reply)
    end
  end

  defp large?({:values, [{:binary, bytes} | _]}) when is_large(bytes), do: true
  defp large?({:values, [_ | rest]}), do: large?({:values, rest})
  defp large?({:http, {_status, headers, body}}), do: is_large(body) or many?(headers)
  defp large?({:error, text}), do: is_large(text)
  defp large?(_reply), do: false

  # Each of them takes some time, and each byte a little.
  defp many?(headers) do
    length(headers) > 200 or
      IO.iodata_length(Enum.map(headers, fn {name, value} -> [name, value] end)) > 16_384
  end

  # A wake-up that came together with the deadline must not stay in the mailbox.
  defp flush(wake) do
    receive do
      {:vitrine_wake, ^wake} -> :ok
    after
      0 -> :ok
    end
  end
end
