defmodule Vitrine.Codec.Text do
  @moduledoc false
  # Texts in UTF-8.

  @behaviour Vitrine.Codec

  @impl true
  def encode(text, _options), do: check(text)

  @impl true
  def decode(bytes, _options), do: check(bytes)

  # It goes by characters, so that other processes can run meanwhile. A BIF would copy all valid text at once.
  defp check(text) when is_binary(text) do
    if String.valid?(text),
      do: {:ok, text},
      else: {:error, "it is not UTF-8 at byte #{byte_size(text) - left(text)}"}
  end

  defp check(other), do: {:error, "expected a string, got: #{inspect(other, limit: 5)}"}

  defp left(<<_::utf8, rest::binary>>), do: left(rest)
  defp left(rest), do: byte_size(rest)
end
