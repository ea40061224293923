defmodule Vitrine.Server.Scheduler do
  @moduledoc false
  # Serves calls one after the other, and hands over those that take longer than one slice.

  alias Vitrine.{Error, Plugin, Telemetry}
  alias Vitrine.Call.{Frame, Log, Loop, Timeout}
  alias Vitrine.Process.{Queue, Request}
  alias Vitrine.Server.{Lease, State, Upgrade, Vars}
  alias Vitrine.Time.Deadline

  # How often to look whether a dead caller's last slice has ended, in milliseconds.
  @recovery 1

  # The reasons of calls that the plugin itself ended. It is not to blame for its caller's timeout or death.
  @faults [:trap, :exit, :out_of_memory, :fuel, :host_function, :codec, :http]

  @doc "Serves a call, or lets it wait, or refuses it."
  @spec enqueue(State.t(), Request.t(), GenServer.from()) :: State.t()
  def enqueue(%{lease: nil} = state, request, from),
    do: state |> serve(request, from, request.timeout || state.plugin.timeout) |> next()

  def enqueue(%{lease: %{holder: client}} = state, request, {client, _} = from) do
    message =
      "the caller is in a call of the server already, which serves one call at a time; its host functions cannot " <>
        "call it"

    GenServer.reply(from, {:error, error(state, request, :busy, message)})
    state
  end

  def enqueue(%{options: %{max_queue: max}, queue: queue} = state, request, from) do
    # Every number is less than :infinity.
    if Queue.size(queue) < max do
      timeout = request.timeout || state.plugin.timeout
      {client, _} = from
      {_id, queue} = Queue.put(queue, {request, from, Deadline.at(timeout)}, client, timeout)
      %{state | queue: queue}
    else
      message =
        "the queue of the server is full: #{calls(max)}; the limit is #{max} waiting calls (max_queue: #{max})"

      GenServer.reply(from, {:error, error(state, request, :queue_full, message)})
      state
    end
  end

  defp calls(1), do: "1 call waits"
  defp calls(count), do: "#{count} calls wait"

  @doc "Ends the lease of a call that was handed over and has ended."
  @spec release(State.t(), reference(), Error.t() | nil) :: State.t()
  def release(%{lease: %{tag: tag} = lease} = state, tag, error) do
    Lease.close(lease)
    %{state | lease: nil} |> judge(error) |> next()
  end

  # The call was withdrawn before.
  def release(state, _tag, _error), do: state

  @doc "Handles the end of a process that this one monitors."
  @spec down(State.t(), reference()) :: State.t()
  def down(%{lease: lease} = state, monitor) do
    case Queue.id(state.queue, monitor) do
      nil -> if lease && monitor in lease.monitors, do: recover(state), else: state
      id -> drop(state, id)
    end
  end

  @doc "Drops a call that its client has withdrawn, because it had no answer in time."
  @spec abandon(State.t(), reference()) :: State.t()
  def abandon(%{lease: %{id: id, tag: tag}} = state, id) when tag != :recovering,
    do: recover(state)

  def abandon(state, id) do
    case Queue.find(state.queue, fn {request, _from, _deadline} -> request.id == id end) do
      nil -> state
      id -> drop(state, id)
    end
  end

  defp drop(state, id) do
    {_call, queue} = Queue.delete(state.queue, id)
    %{state | queue: queue}
  end

  @doc "Looks again whether the plugin is free."
  @spec recover(State.t()) :: State.t()
  def recover(%{lease: lease, plugin: plugin} = state) do
    case Lease.recover(lease, plugin) do
      nil ->
        next(%{state | lease: nil})

      lease ->
        Process.send_after(self(), :recover, @recovery)
        %{state | lease: lease}
    end
  end

  @doc "Refuses a call in the queue whose deadline has passed."
  @spec expire(State.t(), Queue.id()) :: State.t()
  def expire(state, id) do
    {call, queue} = Queue.delete(state.queue, id)

    with %{value: {request, from, _deadline}} <- call do
      {timeout, whose} = Timeout.of(request.timeout, state.plugin)
      message = "the call waited for the server until its deadline"
      error = error(state, request, :timeout, message)
      GenServer.reply(from, Timeout.explain({:error, error}, timeout, whose))
    end

    %{state | queue: queue}
  end

  @doc "Does what is to be done between two calls, and serves calls of the queue until one has to be handed over."
  @spec next(State.t()) :: State.t()
  def next(%{lease: nil, failure: nil} = state) do
    state = state |> save_vars() |> Upgrade.settle()

    case Queue.first(state.queue) do
      nil ->
        state

      {id, %{value: {request, from, deadline}, since: since}} ->
        report_wait(state, since)
        state |> drop(id) |> serve(request, from, Deadline.left(deadline)) |> next()
    end
  end

  def next(state), do: state

  defp report_wait(state, since) do
    Telemetry.emit(
      [:vitrine, :server, :queue],
      %{duration: System.monotonic_time() - since},
      %{server: self(), plugin: Telemetry.tag(state.plugin.name), reason: nil}
    )
  end

  @doc "Saves the variables, if they have changed."
  @spec save_vars(State.t()) :: State.t()
  def save_vars(state) do
    %{state | saved_vars: Vars.save(state.options.vars, state.plugin, state.saved_vars)}
  end

  defp serve(state, %Request{} = request, from, timeout) do
    frame = Request.frame(request, state.plugin)

    case Frame.check(frame) do
      :ok ->
        explain = &explain(&1, Timeout.of(request.timeout, frame.plugin), timeout)
        begin(state, frame, {request.id, from}, {request.input, timeout, explain})

      argument_error ->
        GenServer.reply(from, argument_error)
        state
    end
  end

  defp begin(state, frame, {_, {client, _}} = caller, {input, timeout, explain}) do
    cond do
      node(client) != node() ->
        # The receiver of a trace's events is on the client's node.
        frame = %{frame | trace: nil}
        work = fn -> frame |> Loop.drive(input, timeout) |> explain.() end
        %{state | lease: Lease.proxy(work, caller, saves?(state))}

      Loop.short_start?(frame, input) ->
        step = Loop.start(frame, input, timeout, Log.level(frame))
        first_slice(state, step, frame, caller, explain)

      true ->
        %{state | lease: Lease.grant(frame, {:start, input, timeout}, caller, saves?(state))}
    end
  end

  # A caller that has its answer may rely on what it changed, so that is saved first.
  defp first_slice(state, {:ok, _output} = done, _frame, {_id, from}, _explain) do
    state = save_vars(state)
    GenServer.reply(from, done)
    state
  end

  defp first_slice(state, {:error, _details} = step, frame, {_id, from}, explain) do
    {:error, error} = step |> Loop.continue(frame) |> explain.()
    state = save_vars(state)
    GenServer.reply(from, {:error, error})
    judge(state, error)
  end

  # The wake-up would be sent to this process. The caller's own next slice finds out what the call waits for.
  defp first_slice(state, {:wait, call, _, _}, frame, caller, explain),
    do: first_slice(state, {:slice, call}, frame, caller, explain)

  defp first_slice(state, step, frame, caller, _explain),
    do: %{state | lease: Lease.grant(frame, step, caller, saves?(state), elem(step, 1))}

  defp explain(result, {:infinity, _whose}, _left), do: result

  defp explain(result, {timeout, whose}, left),
    do: Timeout.explain(result, timeout, whose, {"server", timeout - left})

  defp saves?(state), do: Vars.saves?(state.options.vars)

  defp judge(%{options: %{on_trap: :stop}} = state, %Error{reason: reason} = error)
       when reason in @faults,
       do: %{state | failure: error}

  defp judge(state, _error), do: state

  defp error(%{plugin: %Plugin{name: name}}, %Request{function: function}, reason, message),
    do: %Error{reason: reason, message: message, plugin: name, function: function}
end
