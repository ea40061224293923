defmodule Vitrine.Codec.MessagePack do
  @moduledoc """
  The codec `:msgpack`: [MessagePack](https://msgpack.org).

  | Elixir                                             | MessagePack                                 |
  |----------------------------------------------------|---------------------------------------------|
  | `nil`, `true`, `false`                             | nil, true, false                            |
  | integers of 64 bits, signed or unsigned            | int, in its shortest form                   |
  | floats                                             | float 64; float 32 is read as well          |
  | `:nan`, `:infinity`, `:neg_infinity`               | only read: floats that Erlang does not have |
  | binaries in UTF-8                                  | str                                         |
  | `Vitrine.Codec.MessagePack.Bin`                    | bin, which is read as a binary              |
  | other atoms; `Date`, `Time`, `NaiveDateTime`, `DateTime` as ISO 8601 | str, and read as such     |
  | lists                                              | array                                       |
  | maps                                               | map                                         |
  | `Vitrine.Codec.MessagePack.Ext`                    | ext, timestamps among them                  |

  A binary is encoded as text. Bytes must be wrapped: `%Vitrine.Codec.MessagePack.Bin{data: bytes}`. Otherwise their
  contents would decide whether they become a str or a bin. When decoding, a str that is not UTF-8 is refused.

  Other terms cannot be encoded. The limits of depth and size, the option `:max_bytes`, and the rules for equal keys
  are those of `Vitrine.Codec.JSON`. Terms can need forty times the memory of their bytes here.

      iex> {:ok, bytes} = Vitrine.Codec.encode(:msgpack, %{id: 1, tags: ["a"]})
      iex> Vitrine.Codec.decode(:msgpack, bytes)
      {:ok, %{"id" => 1, "tags" => ["a"]}}
      iex> Vitrine.Codec.encode(:msgpack, %Vitrine.Codec.MessagePack.Bin{data: <<255>>})
      {:ok, <<0xC4, 1, 255>>}
  """

  @behaviour Vitrine.Codec

  alias Vitrine.Codec.Term
  alias Vitrine.Native

  @hint "; bytes are encoded as #{inspect(__MODULE__)}.Bin"

  @doc false
  defdelegate options!(options), to: Term

  @impl true
  def encode(term, _options) do
    Term.encode(term, &Native.msgpack_encode/1, &Native.msgpack_encode_dirty/1, @hint)
  end

  @impl true
  def decode(bytes, options),
    do: Term.decode(bytes, options, &Native.msgpack_decode/1, &Native.msgpack_decode_dirty/1)
end
