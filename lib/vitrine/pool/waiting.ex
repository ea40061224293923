defmodule Vitrine.Pool.Waiting do
  @moduledoc false
  # Who gets the next free slot. This is the part of a pool's process that runs when all slots are
  # taken.
  #
  # While somebody waits, each slot is either leased by a process that is monitored here, or a message
  # about it is on its way: {:free, slot} of who gave it back, or the :DOWN of who had it. So nobody
  # waits for a slot that is free, or that a dead process has.

  alias Vitrine.Call.Deadline
  alias Vitrine.Error
  alias Vitrine.Pool.{Queue, Slots}

  @enforce_keys [:slots]
  defstruct [:slots, queue: %Queue{}, watched: %{}, draining?: false]

  @typedoc "`watched` has the owner and its monitor for each leased slot while somebody waits."
  @type t :: %__MODULE__{
          slots: Slots.t(),
          queue: Queue.t(),
          watched: %{Slots.slot() => {pid(), reference()}},
          draining?: boolean()
        }

  @doc "Lets a caller wait, unless it can have a slot at once or need not hope."
  @spec enter(
          t(),
          GenServer.from(),
          {timeout(), Deadline.whose()},
          queue_timeout :: timeout(),
          non_neg_integer() | :infinity
        ) :: t()
  def enter(waiting, from, {timeout, _} = time, queue_timeout, max_queue) do
    deadline = if timeout == :infinity, do: :infinity, else: Slots.now() + timeout
    first? = Queue.size(waiting.queue) == 0
    # Every number is less than :infinity.
    wait = min(time, {queue_timeout, :queue})
    {id, queue} = Queue.put(waiting.queue, from, wait, deadline)
    waiting = counted(%{waiting | queue: queue})
    # If others wait, all slots are watched already.
    waiting = if first?, do: offer_all(waiting), else: waiting

    cond do
      Queue.size(waiting.queue) > max_queue ->
        refuse(
          waiting,
          id,
          :pool_full,
          "no instance of the pool is free, and its queue is full; the limit is #{max_queue} waiting calls (max_queue: #{max_queue})"
        )

      only_owner?(waiting, elem(from, 0)) ->
        refuse(
          waiting,
          id,
          :busy,
          "the caller has all instances of the pool itself, in calls that it is in; a host function that calls its own " <>
            "pool needs one more (size: #{waiting.slots.total + 1})"
        )

      true ->
        waiting
    end
  end

  defp only_owner?(waiting, client) do
    Queue.size(waiting.queue) > 0 and map_size(waiting.watched) == waiting.slots.total and
      Enum.all?(waiting.watched, fn {_slot, {pid, _}} -> pid == client end)
  end

  @doc "Answers one who waits with an error."
  def refuse(waiting, id, reason, message) do
    {waiter, queue} = Queue.delete(waiting.queue, id)
    if waiter, do: GenServer.reply(waiter.from, error(waiting.slots, reason, message))
    counted(%{waiting | queue: queue})
  end

  @doc "Answers all who wait with an error."
  def refuse_all(waiting, reason, message) do
    case Queue.first(waiting.queue) do
      nil -> waiting
      {id, _} -> waiting |> refuse(id, reason, message) |> refuse_all(reason, message)
    end
  end

  @doc "The time of one who waits has passed."
  def expired(waiting, id) do
    case Queue.wait(waiting.queue, id) do
      {timeout, whose} ->
        message = "no instance of the pool was free in time; #{Deadline.allowed(timeout, whose)}"
        refuse(waiting, id, :timeout, message)

      nil ->
        waiting
    end
  end

  @doc "A slot was given back."
  def free(waiting, slot), do: waiting |> unwatch(slot) |> offer(slot) |> counted()

  @doc "A process died: one that waits, or that has slots."
  @spec down(t(), reference()) :: t()
  def down(waiting, monitor) do
    case Queue.id(waiting.queue, monitor) do
      nil ->
        case Enum.find(waiting.watched, fn {_, {_, watch}} -> watch == monitor end) do
          {slot, _} -> waiting |> unwatch(slot) |> offer(slot) |> counted()
          nil -> waiting
        end

      id ->
        {_, queue} = Queue.delete(waiting.queue, id)
        counted(%{waiting | queue: queue})
    end
  end

  @doc "Watches all leased slots, and gives out those that are free."
  def offer_all(waiting) do
    Enum.reduce(1..waiting.slots.total, waiting, &offer(&2, &1)) |> counted()
  end

  # Gives a slot that is free to the first who waits.
  defp offer(%{slots: slots} = waiting, slot) do
    owner = Slots.owner(slots, slot)

    cond do
      owner == nil ->
        assign(waiting, slot, Queue.first(waiting.queue))

      Process.alive?(owner) ->
        watch(waiting, slot, owner)

      true ->
        Slots.take_back(slots, slot, owner)
        offer(waiting, slot)
    end
  end

  defp assign(waiting, _slot, nil), do: waiting

  defp assign(%{slots: slots} = waiting, slot, {id, %{from: {client, _} = from} = waiter}) do
    if Slots.lease(slots, slot, client) do
      {_, queue} = Queue.take(waiting.queue, id)
      GenServer.reply(from, {:ok, slot, left(waiter.deadline)})
      %{watch_by(waiting, slot, {client, waiter.monitor}) | queue: queue}
    else
      # By one who looked before anybody waited.
      offer(waiting, slot)
    end
  end

  defp left(:infinity), do: :infinity
  defp left(deadline), do: max(deadline - Slots.now(), 0)

  defp watch(waiting, slot, owner) do
    case waiting.watched do
      %{^slot => {^owner, _}} -> waiting
      _other -> watch_by(waiting, slot, {owner, Process.monitor(owner)})
    end
  end

  defp watch_by(waiting, slot, watch) do
    waiting = unwatch(waiting, slot)
    %{waiting | watched: Map.put(waiting.watched, slot, watch)}
  end

  defp unwatch(waiting, slot) do
    case Map.pop(waiting.watched, slot) do
      {nil, _} ->
        waiting

      {{_, monitor}, watched} ->
        Process.demonitor(monitor, [:flush])
        %{waiting | watched: watched}
    end
  end

  # Says how many wait. If nobody does, nothing needs to be watched.
  defp counted(waiting) do
    count = Queue.size(waiting.queue)
    count = if waiting.draining?, do: max(count, 1), else: count
    Slots.put_waiting(waiting.slots, count)

    if count == 0,
      do: Enum.reduce(Map.keys(waiting.watched), waiting, &unwatch(&2, &1)),
      else: waiting
  end

  defp error(slots, reason, message) do
    {_, version} = Slots.version(slots)
    {:error, %Error{reason: reason, message: message, plugin: version.compiled.name}}
  end
end
