defmodule Vitrine.Pool.Drain do
  @moduledoc false
  # The end of a pool: calls under way and those that wait have some time, what is not over then is
  # stopped.

  alias Vitrine.Error
  alias Vitrine.Pool.{Slots, Waiting}

  @doc "Lets the calls of a pool end, in the pool's process, for so many milliseconds."
  @spec run(Waiting.t(), timeout()) :: :ok
  def run(waiting, shutdown) do
    deadline = if shutdown == :infinity, do: :infinity, else: Slots.now() + shutdown
    # From now on whoever gives a slot back says so.
    waiting = Waiting.offer_all(%{waiting | draining?: true})
    waiting = drain(waiting, deadline)
    Waiting.refuse_all(waiting, :closed, "the pool was stopped")
    for {slot, _, _} <- Slots.instances(waiting.slots), do: Slots.drop(waiting.slots, slot)
    :ok
  end

  defp drain(waiting, deadline) do
    if Slots.leased(waiting.slots) == [], do: waiting, else: next(waiting, deadline)
  end

  defp next(waiting, deadline) do
    receive do
      {:"$gen_call", from, _question} ->
        error = %Error{reason: :closed, message: "the pool is being stopped"}
        GenServer.reply(from, {:error, error})
        drain(waiting, deadline)

      {:free, slot} ->
        waiting |> Waiting.free(slot) |> drain(deadline)

      {:DOWN, monitor, :process, _, _} ->
        waiting |> Waiting.down(monitor) |> drain(deadline)

      {:expired, id} ->
        waiting |> Waiting.expired(id) |> drain(deadline)
    after
      left(deadline) -> waiting
    end
  end

  defp left(:infinity), do: :infinity
  defp left(deadline), do: max(deadline - Slots.now(), 0)
end
