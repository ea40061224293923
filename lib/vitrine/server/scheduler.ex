defmodule Vitrine.Server.Scheduler do
  @moduledoc false
  # Whose turn it is: serves calls one after the other, and hands over what is not over at once.

  alias Vitrine.{Error, Plugin, Telemetry}
  alias Vitrine.Call.{Deadline, Log, Loop}
  alias Vitrine.Server.{Client, Lease, Queue, State, Upgrade, Vars}

  # How often to look whether a dead caller's last slice has ended, in milliseconds.
  @recovery 1

  # How a call ends that the plugin itself made end. Its caller's timeout or death is no fault of it.
  @faults [:trap, :exit, :out_of_memory, :fuel, :host_function, :codec, :http]

  @doc "A call comes in."
  @spec come(State.t(), tuple(), GenServer.from()) :: State.t()
  def come(state, {:call, _, _, _, timeout, _, _} = request, {client, _} = from) do
    timeout = timeout || state.plugin.timeout

    case state.lease do
      nil ->
        state |> serve(request, from, timeout) |> next()

      %{holder: ^client} ->
        message =
          "the caller is in a call of the server already, which serves one call at a time; its host functions cannot " <>
            "call it"

        GenServer.reply(from, {:error, error(state, request, :busy, message)})
        state

      _lease ->
        wait(state, request, from, timeout)
    end
  end

  defp wait(
         %{options: %{max_queue: max}, queue: queue} = state,
         request,
         {client, _} = from,
         timeout
       ) do
    # Every number is less than :infinity.
    if Queue.size(queue) < max do
      %{state | queue: Queue.put(queue, {request, from}, client, timeout)}
    else
      message =
        "the queue of the server is full: #{calls(max)}; the limit is #{max} waiting calls (max_queue: #{max})"

      GenServer.reply(from, {:error, error(state, request, :queue_full, message)})
      state
    end
  end

  defp calls(1), do: "1 call waits"
  defp calls(count), do: "#{count} calls wait"

  @doc "The call that was handed over has ended."
  def release(%{lease: %{tag: tag} = lease} = state, tag, error) do
    Lease.close(lease)
    %{state | lease: nil} |> judge(error) |> next()
  end

  # Of a call that was given up before.
  def release(state, _tag, _error), do: state

  @doc "A process is gone that this one monitors."
  def down(%{lease: lease} = state, monitor) do
    case Queue.down(state.queue, monitor) do
      {:dropped, queue} -> %{state | queue: queue}
      :unknown -> if lease && monitor in lease.monitors, do: recover(state), else: state
    end
  end

  @doc "A client has given up a call, for which it had no answer in time."
  def abandon(%{lease: %{id: id, tag: tag}} = state, id) when tag != :recovering,
    do: recover(state)

  def abandon(state, id) do
    abandoned? = fn {request, _from} -> elem(request, 1) == id end
    %{state | queue: Queue.drop(state.queue, abandoned?)}
  end

  @doc "Looks again whether the plugin is free."
  def recover(%{lease: lease, plugin: plugin} = state) do
    case Lease.recover(lease, plugin) do
      nil ->
        next(%{state | lease: nil})

      lease ->
        Process.send_after(self(), :recover, @recovery)
        %{state | lease: lease}
    end
  end

  @doc "A queued call's deadline has passed."
  def expire(state, id) do
    {call, queue} = Queue.expire(state.queue, id)

    with {request, from} <- call do
      {:call, _, _, _, asked, _, _} = request
      {timeout, whose} = Deadline.of(asked, state.plugin)
      message = "the call waited for the server until its deadline"
      error = error(state, request, :timeout, message)
      GenServer.reply(from, Deadline.told({:error, error}, timeout, whose))
    end

    %{state | queue: queue}
  end

  @doc "What is to be done between two calls, and the queued calls until one is not over at once."
  @spec next(State.t()) :: State.t()
  def next(%{lease: nil, failure: nil} = state) do
    state = state |> save_vars() |> Upgrade.settle()

    case Queue.pop(state.queue) do
      :empty ->
        state

      {{request, from}, left, since, queue} ->
        told(state, since)
        %{state | queue: queue} |> serve(request, from, left) |> next()
    end
  end

  def next(state), do: state

  @doc "Saves the variables, if they have changed."
  def save_vars(state) do
    %{state | saved_vars: Vars.save(state.options.vars, state.plugin, state.saved_vars)}
  end

  defp serve(state, {:call, id, function, input, asked, context, own}, from, timeout) do
    {trace, stdin} = Client.trace_and_stdin(own)
    told = &told(&1, Deadline.of(asked, state.plugin), timeout)

    case Loop.with_stdin(state.plugin, stdin) do
      {:ok, plugin} ->
        begin(state, {id, from}, {plugin, function, context}, trace, {input, timeout, told})

      wrong ->
        GenServer.reply(from, wrong)
        state
    end
  end

  defp begin(state, {_, {client, _}} = caller, {plugin, function, context}, trace, work) do
    {input, timeout, told} = work
    frame = {%{plugin | trace: trace}, function, context}

    cond do
      node(client) != node() ->
        frame = {plugin, function, context}
        work = fn -> frame |> Loop.drive(input, timeout) |> told.() end
        %{state | lease: Lease.stand_in(work, caller, saves?(state))}

      Loop.short_start?(plugin, input) ->
        step = Loop.start(frame, input, timeout, Log.level(elem(frame, 0)))
        first_slice(state, step, frame, caller, told)

      true ->
        %{state | lease: Lease.grant(frame, {:start, input, timeout}, caller, saves?(state))}
    end
  end

  # Who has an answer may count on what it changed: that is saved before.
  defp first_slice(state, {:ok, _output} = done, _frame, {_id, from}, _told) do
    state = save_vars(state)
    GenServer.reply(from, done)
    state
  end

  defp first_slice(state, {:error, _details} = step, frame, {_id, from}, told) do
    {:error, error} = step |> Loop.continue(frame) |> told.()
    state = save_vars(state)
    GenServer.reply(from, {:error, error})
    judge(state, error)
  end

  # It would wake this process: the caller's own next slice finds out what it waits for.
  defp first_slice(state, {:wait, call, _, _}, frame, client, told),
    do: first_slice(state, {:slice, call}, frame, client, told)

  defp first_slice(state, step, frame, client, _told) do
    %{state | lease: Lease.grant(frame, step, client, saves?(state), elem(step, 1))}
  end

  defp told(result, {:infinity, _whose}, _left), do: result

  defp told(result, {timeout, whose}, left),
    do: Deadline.told(result, timeout, whose, {"server", timeout - left})

  defp saves?(state), do: Vars.saves?(state.options.vars)

  defp judge(%{options: %{on_trap: :stop}} = state, %Error{reason: reason} = error)
       when reason in @faults,
       do: %{state | failure: error}

  defp judge(state, _error), do: state

  defp told(state, since) do
    Telemetry.emit(
      [:vitrine, :server, :queue],
      %{duration: System.monotonic_time() - since},
      %{server: self(), plugin: Telemetry.tag(state.plugin.name), reason: nil}
    )
  end

  defp error(%{plugin: %Plugin{name: name}}, {:call, _, function, _, _, _, _}, reason, message) do
    %Error{reason: reason, message: message, plugin: name, function: function}
  end
end
