defmodule Vitrine.ErrorTable do
  @moduledoc """
  Every error that a user can meet: the situation, the reason, the message, and what makes it. In a message `…` stands for
  what is different each time. `VITRINE_ERRORS=1 mix test test/vitrine/errors_test.exs` prints the table.
  """

  alias Vitrine.ErrorTable.{Arguments, Calls, Hosts, Modules, Pages, Processes, Sources}

  @type row :: {situation :: String.t(), reason :: atom(), message :: String.t(), (() -> term())}

  @doc "The errors that are values."
  @spec rows() :: [row()]
  def rows do
    Enum.concat([
      Sources.rows(),
      Modules.rows(),
      Calls.rows(),
      Hosts.rows(),
      Processes.rows(),
      Pages.rows()
    ])
  end

  @doc "The cases that raise, because arguments are wrong."
  @spec arguments() :: [row()]
  def arguments do
    for {situation, message, make} <- Arguments.rows(),
        do: {situation, ArgumentError, message, make}
  end

  @doc "Whether a text is the one of the table."
  @spec matches?(String.t(), String.t()) :: boolean()
  def matches?(text, message) do
    parts = message |> String.split("…") |> Enum.map_join(".+", &Regex.escape/1)
    text == message or text =~ ~r/\A#{parts}\z/su
  end

  @doc "The table as a text, by reason."
  @spec text() :: String.t()
  def text do
    (rows() ++ arguments())
    |> Enum.group_by(&elem(&1, 1))
    |> Enum.map_join("\n", fn {reason, rows} ->
      "\n#{inspect(reason)}\n" <>
        Enum.map_join(rows, "\n", fn {situation, _, message, _} ->
          "  #{situation} | #{inspect(reason)} | #{message}"
        end)
    end)
  end
end
