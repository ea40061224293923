defmodule Vitrine.OwnLog do
  @moduledoc "What the calling process logs, and no other process: tests that look at whole lines run beside others."

  @doc "The messages that this process logs during `work`, in order."
  @spec lines((() -> term())) :: [String.t()]
  def lines(work) do
    id = :"own_log_#{System.unique_integer([:positive])}"
    :ok = :logger.add_handler(id, __MODULE__, %{level: :all, config: %{process: self()}})

    try do
      work.()
    after
      :logger.remove_handler(id)
    end

    taken(id)
  end

  # A handler is called in the process that logs.
  @doc false
  def log(%{msg: {:string, text}, meta: %{pid: process}}, %{id: id, config: %{process: process}}),
    do: send(process, {id, IO.chardata_to_string(text)})

  def log(_event, _config), do: :ok

  defp taken(id) do
    receive do
      {^id, text} -> [text | taken(id)]
    after
      0 -> []
    end
  end
end
