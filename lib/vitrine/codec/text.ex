defmodule Vitrine.Codec.Text do
  @moduledoc false
  # Texts in UTF-8.

  @behaviour Vitrine.Codec

  @impl true
  def encode(text, _options), do: check(text)

  @impl true
  def decode(bytes, _options), do: check(bytes)

  defp check(text) when is_binary(text) do
    case :unicode.characters_to_binary(text) do
      {_error_or_incomplete, valid, _rest} -> {:error, "no UTF-8 at byte #{byte_size(valid)}"}
      _text -> {:ok, text}
    end
  end

  defp check(other), do: {:error, "expected a string, got: #{inspect(other, limit: 5)}"}
end
