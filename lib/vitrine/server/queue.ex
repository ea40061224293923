defmodule Vitrine.Server.Queue do
  @moduledoc false
  # The calls that wait for a server, in order, each with a timer for its deadline and a monitor of
  # its client. A timer that fires sends {:expired, id} to the process that put the call there.

  alias __MODULE__

  defstruct next: 0, calls: :gb_trees.empty(), clients: %{}

  @type t :: %Queue{}

  @doc "Puts a client's call at the end, for at most `timeout`."
  def put(%Queue{next: id} = queue, call, client, timeout) do
    timer = if timeout != :infinity, do: Process.send_after(self(), {:expired, id}, timeout)
    monitor = Process.monitor(client)
    entry = {call, timer, monitor, System.monotonic_time()}
    calls = :gb_trees.insert(id, entry, queue.calls)
    %{queue | next: id + 1, calls: calls, clients: Map.put(queue.clients, monitor, id)}
  end

  @doc "Takes the first call, with the time it has left and the time since when it waited."
  def pop(%Queue{} = queue) do
    if :gb_trees.is_empty(queue.calls) do
      :empty
    else
      {_id, {call, timer, monitor, since}, calls} = :gb_trees.take_smallest(queue.calls)
      {call, left(timer), since, forget(%{queue | calls: calls}, monitor)}
    end
  end

  @doc "Takes a call whose timer fired."
  def expire(%Queue{} = queue, id) do
    case :gb_trees.take_any(id, queue.calls) do
      {{call, _timer, monitor, _since}, calls} -> {call, forget(%{queue | calls: calls}, monitor)}
      :error -> {nil, queue}
    end
  end

  @doc "Drops the first call that is so, if there is one."
  def drop(%Queue{} = queue, so?) do
    with {id, {_call, timer, monitor, _since}} <-
           Enum.find(:gb_trees.to_list(queue.calls), fn {_id, {call, _, _, _}} -> so?.(call) end) do
      _ = left(timer)
      forget(%{queue | calls: :gb_trees.delete(id, queue.calls)}, monitor)
    else
      nil -> queue
    end
  end

  @doc "Drops the call of a client that is down, if the monitor is of one."
  def down(%Queue{} = queue, monitor) do
    case queue.clients do
      %{^monitor => id} ->
        {{_call, timer, _monitor, _since}, calls} = :gb_trees.take(id, queue.calls)
        _ = left(timer)
        {:dropped, forget(%{queue | calls: calls}, monitor)}

      _others ->
        :unknown
    end
  end

  @doc "How many calls wait."
  def size(%Queue{} = queue), do: :gb_trees.size(queue.calls)

  @doc "All calls that wait, in order."
  def calls(%Queue{} = queue), do: for({call, _, _, _} <- :gb_trees.values(queue.calls), do: call)

  defp forget(queue, monitor) do
    Process.demonitor(monitor, [:flush])
    %{queue | clients: Map.delete(queue.clients, monitor)}
  end

  defp left(nil), do: :infinity

  # A timer that has fired already leaves no time; its message finds nothing.
  defp left(timer) do
    case Process.cancel_timer(timer) do
      false -> 0
      milliseconds -> milliseconds
    end
  end
end
