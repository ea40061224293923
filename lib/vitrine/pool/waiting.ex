defmodule Vitrine.Pool.Waiting do
  @moduledoc false
  # Decides which caller gets the next free slot. This part of a pool's process runs when all slots are taken.
  #
  # While callers wait, each slot is either leased by a process that is monitored here, or a message about it is on its
  # way: {:free, slot} of a process that gave it back, or :DOWN of a process that had it. So no caller waits for a slot
  # that is free or that belongs to a dead process.

  alias Vitrine.Call.Timeout
  alias Vitrine.Error
  alias Vitrine.Pool.Slots
  alias Vitrine.Process.Queue
  alias Vitrine.Time.Deadline

  @enforce_keys [:slots]
  defstruct [:slots, queue: %Queue{}, watched: %{}, draining?: false]

  @typedoc "`watched` has the owner of each leased slot and the owner's monitor, while callers wait."
  @type t :: %__MODULE__{
          slots: Slots.t(),
          queue: Queue.t(),
          watched: %{Slots.slot() => {pid(), reference()}},
          draining?: boolean()
        }

  @doc "Lets a caller wait, unless it can have a slot at once or is refused."
  @spec enter(
          t(),
          GenServer.from(),
          {timeout(), Timeout.whose()},
          queue_timeout :: timeout(),
          non_neg_integer() | :infinity
        ) :: t()
  def enter(waiting, from, {timeout, _} = time, queue_timeout, max_queue) do
    deadline = Deadline.at(timeout)
    first? = Queue.size(waiting.queue) == 0
    # Every number is less than :infinity.
    wait = min(time, {queue_timeout, :queue})
    value = %{from: from, wait: wait, deadline: deadline}
    {id, queue} = Queue.put(waiting.queue, value, elem(from, 0), elem(wait, 0))
    waiting = counted(%{waiting | queue: queue})
    # All slots are watched already if other callers wait.
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

  @doc "Answers a caller that waits with an error."
  def refuse(waiting, id, reason, message) do
    {entry, queue} = Queue.delete(waiting.queue, id)
    if entry, do: GenServer.reply(entry.value.from, error(waiting.slots, reason, message))
    counted(%{waiting | queue: queue})
  end

  @doc "Answers all callers that wait with an error."
  def refuse_all(waiting, reason, message) do
    case Queue.first(waiting.queue) do
      nil -> waiting
      {id, _} -> waiting |> refuse(id, reason, message) |> refuse_all(reason, message)
    end
  end

  @doc "Refuses a caller whose time has passed."
  def expired(waiting, id) do
    case Queue.get(waiting.queue, id) do
      %{value: %{wait: {timeout, whose}}} ->
        message = "no instance of the pool was free in time; #{Timeout.allowed(timeout, whose)}"
        refuse(waiting, id, :timeout, message)

      nil ->
        waiting
    end
  end

  @doc "Gives a slot that was given back to the next caller."
  def free(waiting, slot), do: waiting |> unwatch(slot) |> offer(slot) |> counted()

  @doc "Handles the death of a process that waits or has slots."
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

  @doc "Watches all leased slots, and gives out the free ones."
  def offer_all(waiting) do
    Enum.reduce(1..waiting.slots.total, waiting, &offer(&2, &1)) |> counted()
  end

  # Gives a free slot to the first caller that waits.
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

  defp assign(%{slots: slots} = waiting, slot, {id, %{value: value, monitor: monitor}}) do
    {client, _} = value.from

    if Slots.lease(slots, slot, client) do
      {_, queue} = Queue.take(waiting.queue, id)
      GenServer.reply(value.from, {:ok, slot, Deadline.left(value.deadline)})
      %{watch_by(waiting, slot, {client, monitor}) | queue: queue}
    else
      # A caller took it that looked before any other waited.
      offer(waiting, slot)
    end
  end

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

  # Publishes how many callers wait. If none does, no slot needs to be watched.
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
