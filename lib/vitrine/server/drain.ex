defmodule Vitrine.Server.Drain do
  @moduledoc false
  # Ends a server: calls in the queue are refused, and a call that runs may end in its time.

  alias Vitrine.Error
  alias Vitrine.Process.{Drain, Queue}
  alias Vitrine.Server.{Lease, State}
  alias Vitrine.Time.Deadline

  @doc "Ends what is under way. The plugin is to be closed after this."
  @spec run(State.t(), term()) :: State.t()
  def run(state, reason) do
    error = %Error{
      reason: :closed,
      message: "the server is shutting down",
      plugin: state.plugin.name
    }

    for {_request, from, _deadline} <- Queue.values(state.queue),
        do: GenServer.reply(from, {:error, error})

    if state.upgrade, do: Process.exit(state.upgrade.loader, :kill)
    state = %{state | queue: %Queue{}, upgrade: nil}

    # Whoever closes a server wants it closed now. A supervisor that shuts it down gives it time.
    if Drain.shutdown?(reason),
      do: Drain.run(state, deadline(state.options.shutdown), error, &over?/1, &handle/2),
      else: state
  end

  # The end of a lease without a holder is not told by anybody.
  defp over?(%{lease: lease}), do: lease == nil or lease.holder == nil

  defp handle({:"$gen_cast", {:release, tag, _error}}, %{lease: %{tag: tag} = lease} = state) do
    Lease.close(lease)
    %{state | lease: nil}
  end

  defp handle({:"$gen_cast", {:abandon, id}}, %{lease: %{id: id}} = state),
    do: %{state | lease: nil}

  defp handle({:DOWN, monitor, :process, _, _}, %{lease: %{monitors: monitors}} = state),
    do: if(monitor in monitors, do: %{state | lease: nil}, else: state)

  defp handle(_message, state), do: state

  # Ends earlier than the supervisor's time, so that the rest can be done in good order.
  defp deadline(time) when is_integer(time), do: Deadline.at(max(time - 200, div(time, 2)))
  defp deadline(_unlimited), do: :infinity
end
