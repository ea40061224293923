defmodule Vitrine.Process.Queue do
  @moduledoc false
  # The clients that wait for a process, in order. The process that puts a client into the queue monitors it. If the
  # client waits for a limited time only, a timer sends {:expired, id} to that process when it has passed.

  alias __MODULE__

  defstruct next: 0, entries: :gb_trees.empty(), ids: %{}

  @type id :: non_neg_integer()

  @typedoc "A client. `value` is what the process keeps for it, `since` when it came, in native units."
  @type entry(value) :: %{
          value: value,
          monitor: reference(),
          timer: reference() | nil,
          since: integer()
        }

  @type t :: %Queue{}

  @doc "Puts a client at the end, for this time at most."
  @spec put(t(), value :: term(), client :: pid(), timeout()) :: {id(), t()}
  def put(%Queue{next: id} = queue, value, client, timeout) do
    timer = if timeout != :infinity, do: Process.send_after(self(), {:expired, id}, timeout)
    monitor = Process.monitor(client)
    entry = %{value: value, monitor: monitor, timer: timer, since: System.monotonic_time()}
    entries = :gb_trees.insert(id, entry, queue.entries)
    {id, %{queue | next: id + 1, entries: entries, ids: Map.put(queue.ids, monitor, id)}}
  end

  @doc "Returns how many clients wait."
  @spec size(t()) :: non_neg_integer()
  def size(%Queue{entries: entries}), do: :gb_trees.size(entries)

  @doc "Returns what is kept for those that wait, in order."
  @spec values(t()) :: [term()]
  def values(%Queue{entries: entries}),
    do: for(entry <- :gb_trees.values(entries), do: entry.value)

  @doc "Returns the client that has waited longest."
  @spec first(t()) :: {id(), entry(term())} | nil
  def first(%Queue{ids: ids}) when ids == %{}, do: nil
  def first(%Queue{entries: entries}), do: :gb_trees.smallest(entries)

  @doc "Returns a client that waits, by its id."
  @spec get(t(), id()) :: entry(term()) | nil
  def get(%Queue{entries: entries}, id) do
    case :gb_trees.lookup(id, entries) do
      {:value, entry} -> entry
      :none -> nil
    end
  end

  @doc "Returns the id of the client with this monitor."
  @spec id(t(), reference()) :: id() | nil
  def id(%Queue{ids: ids}, monitor), do: ids[monitor]

  @doc "Returns the id of the first client whose value passes a check."
  @spec find(t(), (term() -> boolean())) :: id() | nil
  def find(%Queue{entries: entries}, check) do
    Enum.find_value(:gb_trees.to_list(entries), fn {id, entry} ->
      if check.(entry.value), do: id
    end)
  end

  @doc "Removes a client and ends its monitor."
  @spec delete(t(), id()) :: {entry(term()) | nil, t()}
  def delete(queue, id) do
    {entry, queue} = take(queue, id)
    if entry, do: Process.demonitor(entry.monitor, [:flush])
    {entry, queue}
  end

  @doc "Removes a client and leaves its monitor to the process."
  @spec take(t(), id()) :: {entry(term()) | nil, t()}
  def take(%Queue{} = queue, id) do
    case :gb_trees.take_any(id, queue.entries) do
      {entry, entries} ->
        if entry.timer, do: Process.cancel_timer(entry.timer, async: true, info: false)
        {entry, %{queue | entries: entries, ids: Map.delete(queue.ids, entry.monitor)}}

      :error ->
        {nil, queue}
    end
  end
end
