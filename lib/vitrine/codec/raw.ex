defmodule Vitrine.Codec.Raw do
  @moduledoc false
  # Bytes as they are.

  @behaviour Vitrine.Codec

  @impl true
  def encode(bytes, _options) when is_binary(bytes), do: {:ok, bytes}

  def encode(iodata, _options) when is_list(iodata) do
    {:ok, IO.iodata_to_binary(iodata)}
  rescue
    ArgumentError -> {:error, "the list is not iodata"}
  end

  def encode(other, _options),
    do: {:error, "expected a binary or iodata, got: #{inspect(other, limit: 5)}"}

  @impl true
  def decode(bytes, _options), do: {:ok, bytes}
end
