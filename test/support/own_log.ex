defmodule Vitrine.OwnLog do
  @moduledoc """
  Captures what the calling process logs, and no other process: tests that look at whole lines run beside others. There is one
  handler of Logger for all of them, because handlers that are added and removed at the same time get lost.
  """

  @doc "Adds the handler."
  @spec start() :: :ok
  def start, do: :logger.add_handler(__MODULE__, __MODULE__, %{level: :all})

  @doc "The messages that this process logs during `work`, in order."
  @spec lines((() -> term())) :: [String.t()]
  def lines(work) do
    Process.put(__MODULE__, [])
    work.()
    __MODULE__ |> Process.delete() |> Enum.reverse()
  end

  # A handler is called in the process that logs.
  @doc false
  def log(%{msg: {:string, text}}, _config) do
    case Process.get(__MODULE__) do
      nil -> :ok
      lines -> Process.put(__MODULE__, [IO.chardata_to_string(text) | lines])
    end
  end

  def log(_event, _config), do: :ok
end
