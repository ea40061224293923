defmodule Vitrine.Server do
  @moduledoc """
  A process that holds one plugin for many callers: for a plugin whose state is shared and
  long-lived, such as a game.

      children = [
        {Vitrine.Server, source: "game.wasm", name: MyApp.Game}
      ]

      Vitrine.call(MyApp.Game, "handle_event", json)

  Calls are served one at a time, in order. The server itself runs a call's first slice, which is
  nearly always the whole of it; a call that takes longer, or calls a host function, goes on in
  the process that made it. So host functions run in the caller, `self()` is the caller, and the
  server answers while a plugin works. If the caller dies, its call ends with it and the server
  goes on with the next. A caller on another node is stood in for by a process on the server's.

  `Vitrine.call/4`, `Vitrine.cancel/1`, `Vitrine.reset/1`, `Vitrine.function_exists?/2` and
  `Vitrine.close/1` take a server as they take a plugin: a pid or any name. A call's timeout
  includes the time it waits for its turn.
  """

  use GenServer

  alias Vitrine.{Call, Error, Log, Native, Options, Plugin, Telemetry, Trace}
  alias Vitrine.Server.Queue

  # How often to look whether a dead caller's last slice has ended, in milliseconds.
  @recovery 1

  @doc """
  Starts a server with its plugin.

  Options are those of `Vitrine.new/2`, and

    * `:source` - the plugin, see `Vitrine.new/2`; required
    * `:name` - any name that `GenServer.start_link/3` takes. What errors and log lines call the
      plugin is `:plugin_name` then
    * `:id` - the id of the child specification, by default the name

  A plugin that cannot be loaded is `{:error, %Vitrine.Error{}}`.

      iex> {:ok, server} = Vitrine.Server.start_link(source: ~S|(module (func (export "run")))|)
      iex> Vitrine.call(server, "run")
      {:ok, ""}
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    {server_options, options} = Keyword.split(options, [:name])
    plugin_options = Options.plugin_options() -- [:name]
    options = Keyword.validate!(options, [:source, :id, :plugin_name] ++ plugin_options)

    unless options[:source] do
      raise ArgumentError, "expected the option :source, got: #{inspect(options)}"
    end

    GenServer.start_link(__MODULE__, options, server_options)
  end

  @doc false
  def child_spec(options) do
    %{
      id: options[:id] || options[:name] || __MODULE__,
      start: {__MODULE__, :start_link, [options]}
    }
  end

  @doc false
  # Vitrine.call/4 for a server.
  @spec call(GenServer.server(), String.t(), binary(), keyword()) ::
          {:ok, binary()} | {:error, Error.t()}
  def call(server, function, input, options) do
    options = Keyword.validate!(options, [:context, :timeout, :trace])
    timeout = options[:timeout] && Options.timeout!(options[:timeout])

    trace = Trace.begin!(options[:trace])
    request = {:call, function, input, timeout, options[:context], trace}
    Trace.call(trace, function, input, fn -> observed(server, request) end)
  end

  defp observed(server, {:call, function, _, _, _, _} = request) do
    case Telemetry.handler() do
      false ->
        ask_for(server, request)

      handler ->
        metadata = %{plugin: nil, function: function, server: server}
        Telemetry.call(handler, metadata, fn -> ask_for(server, request) end)
    end
  end

  # The server keeps the deadline: it answers when that has passed, too.
  defp ask_for(server, request) do
    case ask(server, request) do
      {:lease, tag, frame, work} -> work(server, tag, frame, work)
      result -> result
    end
  end

  @doc false
  # A question to a server. One that is not running is closed.
  @spec ask(GenServer.server(), term()) :: term()
  def ask(server, question) do
    case GenServer.call(server, question, :infinity) do
      # A pool, of which this cannot be asked.
      {:argument_error, message} -> raise ArgumentError, message
      answer -> answer
    end
  catch
    :exit, reason -> {:error, closed(reason)}
  end

  defp closed({reason, {GenServer, :call, _}}), do: closed(reason)

  defp closed(reason) do
    message = "the server is not running: #{Exception.format_exit(reason)}"
    %Error{reason: :closed, message: message}
  end

  # The call goes on in this process; the server waits until it is told, or until this one is gone.
  defp work(server, tag, frame, work) do
    case work do
      {:start, input, timeout} -> Call.drive(frame, input, timeout)
      step -> Call.continue(step, frame)
    end
  after
    GenServer.cast(server, {:release, tag})
  end

  ## The process

  # The lease is the call that is not the server's any more, if there is one.
  defstruct [:plugin, :lease, queue: %Queue{}]

  @impl true
  def init(options) do
    {options, plugin_options} = Keyword.split(options, [:source, :id, :plugin_name])

    case Vitrine.new(options[:source], [name: options[:plugin_name]] ++ plugin_options) do
      {:ok, plugin} -> {:ok, %__MODULE__{plugin: plugin}}
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_call({:call, _, _, timeout, _, _} = request, from, state) do
    timeout = timeout || state.plugin.timeout

    case state.lease do
      nil ->
        {:noreply, serve(request, from, timeout, state)}

      %{holder: holder} when holder == elem(from, 0) ->
        {:reply, {:error, error(state, request, :busy, "the caller is in a call of it already")},
         state}

      _lease ->
        {:noreply, %{state | queue: Queue.put(state.queue, {request, from}, timeout)}}
    end
  end

  def handle_call({:function_exists?, name}, _from, state),
    do: {:reply, Vitrine.function_exists?(state.plugin, name), state}

  def handle_call(:cancel, _from, state), do: {:reply, Vitrine.cancel(state.plugin), state}
  def handle_call(:vars, _from, state), do: {:reply, Vitrine.vars(state.plugin), state}

  def handle_call({:put_vars, vars}, _from, state),
    do: {:reply, Vitrine.put_vars(state.plugin, vars), state}

  def handle_call({:put_config, changes}, _from, state),
    do: {:reply, Vitrine.put_config(state.plugin, changes), state}

  def handle_call(:take_printed, _from, state),
    do: {:reply, Vitrine.take_printed(state.plugin), state}

  def handle_call(:fuel_used, _from, state), do: {:reply, Vitrine.fuel_used(state.plugin), state}
  def handle_call(:stats, _from, state), do: {:reply, Vitrine.stats(state.plugin), state}
  def handle_call(:reset, _from, state), do: {:reply, Vitrine.reset(state.plugin), state}

  @impl true
  def handle_cast({:release, tag}, %{lease: %{tag: tag, monitors: monitors}} = state) do
    Enum.each(monitors, &Process.demonitor(&1, [:flush]))
    {:noreply, next(%{state | lease: nil})}
  end

  # Of a call that was given up before.
  def handle_cast({:release, _tag}, state), do: {:noreply, state}

  @impl true
  def handle_info({:DOWN, monitor, :process, _, _}, %{lease: %{monitors: monitors}} = state) do
    if monitor in monitors, do: recover(state), else: {:noreply, state}
  end

  def handle_info(:recover, %{lease: %{tag: :recovering}} = state), do: recover(state)

  def handle_info({:expired, id}, state) do
    {call, queue} = Queue.expire(state.queue, id)

    with {request, from} <- call do
      message = "the call waited for the server until its deadline"
      GenServer.reply(from, {:error, error(state, request, :timeout, message)})
    end

    {:noreply, %{state | queue: queue}}
  end

  # Wake-ups of calls that were handed over.
  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state), do: Vitrine.close(state.plugin)

  # Whoever held the lease is gone, perhaps in the middle of a slice: the plugin is free when that
  # has ended, which the cancellation makes soon.
  defp recover(%{lease: lease, plugin: plugin} = state) do
    Enum.each(lease.monitors, &Process.demonitor(&1, [:flush]))
    if lease.runner, do: Process.exit(lease.runner, :kill)
    Vitrine.cancel(plugin)
    if lease.call, do: Native.call_drop(lease.call)

    if Native.plugin_idle(plugin.ref) do
      {:noreply, next(%{state | lease: nil})}
    else
      Process.send_after(self(), :recover, @recovery)
      {:noreply, %{state | lease: %{lease | tag: :recovering, holder: nil, monitors: []}}}
    end
  end

  # Serves queued calls until one is not over at once.
  defp next(%{lease: nil} = state) do
    case Queue.pop(state.queue) do
      :empty ->
        state

      {{request, {client, _} = from}, left, queue} ->
        state = %{state | queue: queue}
        state = if alive?(client), do: serve(request, from, left, state), else: state
        next(state)
    end
  end

  defp next(state), do: state

  defp alive?(client), do: node(client) != node() or Process.alive?(client)

  defp serve({:call, function, input, _, context, trace}, {client, _} = from, timeout, state) do
    frame = {%{state.plugin | trace: trace}, function, context}

    cond do
      node(client) != node() ->
        run_for({state.plugin, function, context}, input, timeout, from, state)

      Call.short_start?(state.plugin, input) ->
        step = Call.start(frame, input, timeout, Log.level(state.plugin))
        first_slice(step, frame, from, state)

      true ->
        lease(frame, {:start, input, timeout}, from, state)
    end
  end

  defp first_slice(step, frame, from, state) when elem(step, 0) in [:ok, :error] do
    GenServer.reply(from, Call.continue(step, frame))
    state
  end

  # It would wake this process: the caller's own next slice finds out what it waits for.
  defp first_slice({:wait, call, _, _}, frame, from, state),
    do: first_slice({:slice, call}, frame, from, state)

  defp first_slice(step, frame, from, state) do
    lease(frame, step, from, state, elem(step, 1))
  end

  defp lease(frame, work, {client, _} = from, state, call \\ nil) do
    tag = make_ref()
    monitor = Process.monitor(client)
    GenServer.reply(from, {:lease, tag, frame, work})
    lease = %{tag: tag, holder: client, monitors: [monitor], call: call, runner: nil}
    %{state | lease: lease}
  end

  # The NIF's references mean nothing to a caller on another node, so a process here works for it.
  defp run_for(frame, input, timeout, {client, _} = from, state) do
    {server, tag} = {self(), make_ref()}

    {runner, monitor} =
      spawn_monitor(fn ->
        GenServer.reply(from, Call.drive(frame, input, timeout))
        GenServer.cast(server, {:release, tag})
      end)

    monitors = [monitor, Process.monitor(client)]
    lease = %{tag: tag, holder: runner, monitors: monitors, call: nil, runner: runner}
    %{state | lease: lease}
  end

  defp error(%{plugin: %Plugin{name: name}}, {:call, function, _, _, _, _}, reason, message) do
    %Error{reason: reason, message: message, plugin: name, function: function}
  end
end
