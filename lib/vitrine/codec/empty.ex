defmodule Vitrine.Codec.Empty do
  @moduledoc false
  # No bytes.

  @behaviour Vitrine.Codec

  @impl true
  def encode(nil, _options), do: {:ok, ""}
  def encode(other, _options), do: {:error, "expected nil, got: #{inspect(other, limit: 5)}"}

  @impl true
  def decode("", _options), do: {:ok, nil}
  def decode(bytes, _options), do: {:error, "expected no bytes, got #{byte_size(bytes)}"}
end
