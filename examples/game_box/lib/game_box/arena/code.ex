defmodule GameBox.Arena.Code do
  @moduledoc """
  The code of an arena: four letters that people tell each other. There are no vowels, so that they form no words.

      iex> GameBox.Arena.Code.parse(" bcdf ")
      {:ok, "BCDF"}
      iex> GameBox.Arena.Code.parse("abcd")
      :error
  """

  @letters "BCDFGHJKLMNPQRSTVWXYZ"

  @doc "Returns a new code. There are 194 481 codes."
  @spec random() :: String.t()
  def random do
    for <<byte <- :crypto.strong_rand_bytes(4)>>, into: "" do
      # Some letters are slightly more likely than others, which does not matter here.
      binary_part(@letters, rem(byte, byte_size(@letters)), 1)
    end
  end

  @doc "Parses a code that a person typed."
  @spec parse(term()) :: {:ok, String.t()} | :error
  def parse(text) when is_binary(text) do
    code = text |> String.trim() |> String.upcase()
    if code =~ ~r/\A[B-DF-HJ-NP-TV-Z]{4}\z/, do: {:ok, code}, else: :error
  end

  def parse(_other), do: :error
end
