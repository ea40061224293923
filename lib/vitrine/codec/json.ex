defmodule Vitrine.Codec.JSON do
  @moduledoc """
  The codec `:json`.

  | Elixir                                             | JSON                                        |
  |----------------------------------------------------|---------------------------------------------|
  | `nil`, `true`, `false`                             | `null`, `true`, `false`                     |
  | integers of 64 bits, signed or unsigned            | numbers without a point or exponent         |
  | floats                                             | other numbers, the shortest that give the float again |
  | binaries in UTF-8                                  | strings                                     |
  | other atoms; `Date`, `Time`, `NaiveDateTime`, `DateTime` as ISO 8601 | strings, and read as such |
  | lists                                              | arrays                                      |
  | maps with strings, atoms or integers as keys       | objects, read with strings as keys          |

  Other terms (tuples, functions, other structs, bytes that are not text, larger integers) cannot be encoded. The
  error says where they stand. Decoding never creates an atom.

  ## Special cases

    * When decoding, an integer of more than 64 bits becomes the nearest float, as in JavaScript. A plugin that needs
      all digits should send a string
    * Of equal keys in an object, the last one counts
    * Maps whose keys become equal texts, such as `%{1 => 2, "1" => 3}`, are encoded with both keys

  ## Limits

  Lists and maps may be nested 127 deep. A document that is decoded may have 16 MiB, or the number of bytes in the
  option `:max_bytes`, a number or `:infinity`: `{:json, max_bytes: 1_000_000}`. Terms need up to fifteen times the
  memory of their text.

  Long texts and large terms are processed on a dirty scheduler. A call's timeout does not apply to that time.

      iex> Vitrine.Codec.encode(:json, %{"at" => ~D[2026-11-21], "price" => 0.1})
      {:ok, ~s({"at":"2026-11-21","price":0.1})}
      iex> Vitrine.Codec.decode(:json, ~s({"a": [1, 2.0, null]}))
      {:ok, %{"a" => [1, 2.0, nil]}}
      iex> {:error, error} = Vitrine.Codec.decode({:json, max_bytes: 10}, ~s("a longer text"))
      iex> error.message =~ "it has 15 bytes; the limit is 10 bytes (max_bytes: 10)"
      true
  """

  @behaviour Vitrine.Codec

  alias Vitrine.Codec.Term
  alias Vitrine.Native

  @doc false
  defdelegate options!(options), to: Term

  @impl true
  def encode(term, _options),
    do: Term.encode(term, &Native.json_encode/1, &Native.json_encode_dirty/1)

  @impl true
  def decode(bytes, options),
    do: Term.decode(bytes, options, &Native.json_decode/1, &Native.json_decode_dirty/1)
end
