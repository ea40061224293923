defmodule Vitrine.Process.Drain do
  @moduledoc false
  # Ends a process that other processes' calls depend on: for some time it handles the messages that end these calls,
  # and nothing else.

  alias Vitrine.Error
  alias Vitrine.Time.Deadline

  @doc "Tells whether a supervisor ends the process, which gives its calls some time."
  @spec shutdown?(reason :: term()) :: boolean()
  def shutdown?(:shutdown), do: true
  def shutdown?({:shutdown, _}), do: true
  def shutdown?(_reason), do: false

  @doc """
  Handles messages until all is over or the deadline has passed. `handle` gets each message. Questions are answered with
  the error.
  """
  @spec run(state, Deadline.t(), Error.t(), (state -> boolean()), (term(), state -> state)) ::
          state
        when state: term()
  def run(state, deadline, error, over?, handle) do
    if over?.(state), do: state, else: next(state, deadline, error, over?, handle)
  end

  defp next(state, deadline, error, over?, handle) do
    receive do
      {:"$gen_call", from, _question} ->
        GenServer.reply(from, {:error, error})
        run(state, deadline, error, over?, handle)

      message ->
        message |> handle.(state) |> run(deadline, error, over?, handle)
    after
      Deadline.left(deadline) -> state
    end
  end
end
