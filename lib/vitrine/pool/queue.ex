defmodule Vitrine.Pool.Queue do
  @moduledoc false
  # The callers that wait for a slot, in order. Each is monitored by the process that puts it there,
  # and a timer sends that process {:expired, id} when it has waited for too long.

  alias __MODULE__

  defstruct next: 0, waiters: :gb_trees.empty(), ids: %{}

  @type waiter :: %{
          from: GenServer.from(),
          monitor: reference(),
          timer: reference() | nil,
          wait: {timeout(), Vitrine.Call.Deadline.whose()},
          deadline: integer() | :infinity
        }

  @type t :: %Queue{}

  @doc "How many wait."
  @spec size(t()) :: non_neg_integer()
  def size(queue), do: :gb_trees.size(queue.waiters)

  @doc """
  Puts a caller at the end, who waits for at most so long, which is somebody's word, and whose call ends at `deadline`.
  """
  @spec put(
          t(),
          GenServer.from(),
          {timeout(), Vitrine.Call.Deadline.whose()},
          integer() | :infinity
        ) ::
          {pos_integer(), t()}
  def put(%Queue{next: id} = queue, {pid, _} = from, {timeout, _} = wait, deadline) do
    timer = if timeout != :infinity, do: Process.send_after(self(), {:expired, id}, timeout)
    monitor = Process.monitor(pid)
    waiter = %{from: from, monitor: monitor, timer: timer, wait: wait, deadline: deadline}

    {id,
     %{
       queue
       | next: id + 1,
         waiters: :gb_trees.insert(id, waiter, queue.waiters),
         ids: Map.put(queue.ids, waiter.monitor, id)
     }}
  end

  @doc "How long one who waits may at most, and whose word that is."
  @spec wait(t(), non_neg_integer()) :: {timeout(), Vitrine.Call.Deadline.whose()} | nil
  def wait(queue, id) do
    case :gb_trees.lookup(id, queue.waiters) do
      {:value, waiter} -> waiter.wait
      :none -> nil
    end
  end

  @doc "The one who has waited longest."
  @spec first(t()) :: {id :: non_neg_integer(), waiter()} | nil
  def first(%Queue{ids: ids}) when ids == %{}, do: nil
  def first(queue), do: :gb_trees.smallest(queue.waiters)

  @doc "Takes one out whose monitor is to live on."
  @spec take(t(), non_neg_integer()) :: {waiter() | nil, t()}
  def take(queue, id) do
    case :gb_trees.take_any(id, queue.waiters) do
      {waiter, waiters} ->
        if waiter.timer, do: Process.cancel_timer(waiter.timer, async: true, info: false)
        {waiter, %{queue | waiters: waiters, ids: Map.delete(queue.ids, waiter.monitor)}}

      :error ->
        {nil, queue}
    end
  end

  @doc "Takes one out, with the monitor."
  @spec delete(t(), non_neg_integer()) :: {waiter() | nil, t()}
  def delete(queue, id) do
    {waiter, queue} = take(queue, id)
    if waiter, do: Process.demonitor(waiter.monitor, [:flush])
    {waiter, queue}
  end

  @doc "The id of the one with this monitor."
  @spec id(t(), reference()) :: non_neg_integer() | nil
  def id(queue, monitor), do: queue.ids[monitor]
end
