defmodule Vitrine.Codec.Base64 do
  @moduledoc false
  # Bytes as base64 of the standard alphabet, with padding.

  @behaviour Vitrine.Codec

  @impl true
  def encode(bytes, _options) when is_binary(bytes), do: {:ok, Base.encode64(bytes)}

  def encode(other, _options),
    do: {:error, "expected a binary, got: #{inspect(other, limit: 5)}"}

  @impl true
  def decode(text, _options) do
    with :error <- Base.decode64(text),
         do: {:error, "expected the letters A-Z, a-z, 0-9, + and /, padded with ="}
  end
end
