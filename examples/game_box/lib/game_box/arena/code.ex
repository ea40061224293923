defmodule GameBox.Arena.Code do
  @moduledoc """
  The four letters that people tell each other. Without vowels, so that they make no words.

      iex> GameBox.Arena.Code.parse(" bcdf ")
      {:ok, "BCDF"}
      iex> GameBox.Arena.Code.parse("abcd")
      :error
  """

  @letters "BCDFGHJKLMNPQRSTVWXYZ"

  @doc "A new one: 194 481 there are."
  @spec random() :: String.t()
  def random do
    for <<byte <- :crypto.strong_rand_bytes(4)>>, into: "" do
      # A letter is a little more likely than another one, which matters to nobody.
      binary_part(@letters, rem(byte, byte_size(@letters)), 1)
    end
  end

  @doc "What somebody typed, as a code."
  @spec parse(term()) :: {:ok, String.t()} | :error
  def parse(text) when is_binary(text) do
    code = text |> String.trim() |> String.upcase()
    if code =~ ~r/\A[B-DF-HJ-NP-TV-Z]{4}\z/, do: {:ok, code}, else: :error
  end

  def parse(_other), do: :error
end
