defmodule Vitrine.Server.Queue do
  @moduledoc false
  # The calls that wait for a server, in order, each with a timer for its deadline. A timer that
  # fires sends {:expired, id} to the process that put the call there.

  alias __MODULE__

  defstruct next: 0, calls: :gb_trees.empty()

  @type t :: %Queue{}

  @doc "Puts a call at the end, for at most `timeout`."
  def put(%Queue{next: id} = queue, call, timeout) do
    timer = if timeout != :infinity, do: Process.send_after(self(), {:expired, id}, timeout)
    %{queue | next: id + 1, calls: :gb_trees.insert(id, {call, timer}, queue.calls)}
  end

  @doc "Takes the first call, with the time it has left."
  def pop(%Queue{} = queue) do
    if :gb_trees.is_empty(queue.calls) do
      :empty
    else
      {_id, {call, timer}, calls} = :gb_trees.take_smallest(queue.calls)
      {call, left(timer), %{queue | calls: calls}}
    end
  end

  @doc "Takes a call whose timer fired."
  def expire(%Queue{} = queue, id) do
    case :gb_trees.take_any(id, queue.calls) do
      {{call, _timer}, calls} -> {call, %{queue | calls: calls}}
      :error -> {nil, queue}
    end
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
