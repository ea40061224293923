defmodule Vitrine.Codec.MessagePack.Bin do
  @moduledoc "Bytes to be encoded as MessagePack's bin."

  @typedoc "Bytes, wrapped."
  @type t :: %__MODULE__{data: binary()}

  @enforce_keys [:data]
  defstruct [:data]
end
