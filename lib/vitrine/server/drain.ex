defmodule Vitrine.Server.Drain do
  @moduledoc false
  # The end of a server: queued calls are told, and a call that runs may end in its time.

  alias Vitrine.Error
  alias Vitrine.Server.{Lease, Queue, State}

  @doc "Ends what is under way; the plugin is to be closed then."
  @spec run(State.t(), term()) :: State.t()
  def run(state, reason) do
    for {_request, from} <- Queue.calls(state.queue), do: refuse(state, from)
    if state.upgrade, do: Process.exit(state.upgrade.loader, :kill)
    state = %{state | queue: %Queue{}, upgrade: nil}

    # Of a lease without a holder nobody would tell.
    wait? = state.lease != nil and state.lease.holder != nil and patient?(reason)
    if wait?, do: wait(state, deadline(state.options.shutdown)), else: state
  end

  # Whoever closes a server wants it closed now; a supervisor that shuts down gives it time.
  defp patient?(:shutdown), do: true
  defp patient?({:shutdown, _}), do: true
  defp patient?(_reason), do: false

  # Earlier than the supervisor's, to do the rest in good order.
  defp deadline(time) when is_integer(time),
    do: System.monotonic_time(:millisecond) + max(time - 200, div(time, 2))

  defp deadline(_unlimited), do: :infinity

  defp wait(%{lease: %{tag: tag, id: id, monitors: monitors} = lease} = state, deadline) do
    receive do
      {:"$gen_cast", {:release, ^tag, _error}} ->
        Lease.close(lease)
        %{state | lease: nil}

      {:"$gen_cast", {:abandon, ^id}} ->
        %{state | lease: nil}

      {:DOWN, monitor, :process, _, _} ->
        if monitor in monitors, do: %{state | lease: nil}, else: wait(state, deadline)

      {:"$gen_call", from, _question} ->
        refuse(state, from)
        wait(state, deadline)
    after
      left(deadline) -> state
    end
  end

  defp left(:infinity), do: :infinity
  defp left(deadline), do: max(deadline - System.monotonic_time(:millisecond), 0)

  defp refuse(state, from) do
    message = "the server is shutting down"

    GenServer.reply(
      from,
      {:error, %Error{reason: :closed, message: message, plugin: state.plugin.name}}
    )
  end
end
