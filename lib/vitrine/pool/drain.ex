defmodule Vitrine.Pool.Drain do
  @moduledoc false
  # Ends a pool: calls that run and callers that wait have some time, and what is not over then is stopped.

  alias Vitrine.Error
  alias Vitrine.Pool.{Slots, Waiting}
  alias Vitrine.Process.Drain
  alias Vitrine.Time.Deadline

  @doc "Ends the calls of a pool, in the pool's process, which ends for this reason."
  @spec run(Waiting.t(), term(), shutdown :: timeout()) :: :ok
  def run(waiting, reason, shutdown) do
    # Whoever stops a pool waits for its calls. After a crash the supervisor is to start the pool again soon.
    time = if reason == :normal or Drain.shutdown?(reason), do: shutdown, else: 0
    error = %Error{reason: :closed, message: "the pool is being stopped"}
    # From now on whoever gives a slot back tells the pool.
    waiting = Waiting.offer_all(%{waiting | draining?: true})
    waiting = Drain.run(waiting, Deadline.at(time), error, &over?/1, &handle/2)
    Waiting.refuse_all(waiting, :closed, "the pool was stopped")
    for {slot, _, _} <- Slots.instances(waiting.slots), do: Slots.drop(waiting.slots, slot)
    :ok
  end

  defp over?(waiting), do: Slots.leased(waiting.slots) == []

  defp handle({:free, slot}, waiting), do: Waiting.free(waiting, slot)
  defp handle({:DOWN, monitor, :process, _, _}, waiting), do: Waiting.down(waiting, monitor)
  defp handle({:expired, id}, waiting), do: Waiting.expired(waiting, id)
  defp handle(_message, waiting), do: waiting
end
