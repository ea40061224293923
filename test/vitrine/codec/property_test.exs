defmodule Vitrine.Codec.PropertyTest do
  use ExUnit.Case, async: true

  import Vitrine.Property

  alias Vitrine.{Codec, Error}
  alias Vitrine.Codec.MessagePack.Ext

  @codecs [:raw, :string, :json, :msgpack, :base64, :bool, :empty] ++
            [:i32, :u32, :i64, :u64, :f32, :f64]

  describe "a term that is encoded is decoded as the same term" do
    test "by :json" do
      forall(fn -> term(4, &text/0, fn -> nil end) end, 3_000, &returns(:json, &1))
    end

    test "by :msgpack" do
      ext = fn -> %Ext{type: Enum.random(-128..127), data: bytes(300)} end
      forall(fn -> term(4, &scalar/0, ext) end, 3_000, &returns(:msgpack, &1))
    end

    test "by the codecs for numbers" do
      forall(&number/0, 3_000, fn {codec, value} -> returns(codec, value) end)
    end

    defp returns(codec, term) do
      assert {:ok, bytes} = Codec.encode(codec, term)
      assert Codec.decode(codec, bytes) === {:ok, term}
    end
  end

  @tag :slow
  test "any term is encoded or refused" do
    forall(fn -> anything(4) end, 3_000, fn term ->
      for codec <- @codecs do
        case Codec.encode(codec, term) do
          {:ok, bytes} -> assert {:ok, _} = Codec.decode(codec, bytes)
          {:error, error} -> assert %Error{reason: :codec, message: "the term " <> _} = error
        end
      end
    end)
  end

  describe "any bytes are decoded or refused," do
    test "random ones" do
      forall(fn -> bytes(40) end, 3_000, fn bytes ->
        for codec <- @codecs, do: decodes_or_refuses(codec, bytes)
      end)
    end

    test "those of a term with some changed" do
      for codec <- [:json, :msgpack] do
        forall(
          fn ->
            {:ok, bytes} = Codec.encode(codec, term(4, &text/0, fn -> 1 end))
            change(bytes)
          end,
          3_000,
          &decodes_or_refuses(codec, &1)
        )
      end
    end

    defp decodes_or_refuses(codec, bytes) do
      case Codec.decode(codec, bytes) do
        {:ok, term} ->
          # A term that was read can be written, except for values that Erlang has no number for.
          if codec not in [:msgpack], do: assert({:ok, _} = Codec.encode(codec, term))

        {:error, error} ->
          assert %Error{reason: :codec, message: "the bytes " <> _, raw: ^bytes} = error
      end
    end
  end

  describe "JSON as another writer writes it" do
    test "is decoded as the same term" do
      forall(fn -> term(4, &text/0, fn -> nil end) end, 3_000, fn term ->
        assert Codec.decode(:json, other_json(term)) === {:ok, term}
      end)
    end

    test "has its floats decoded to the last bit, with any number of digits" do
      forall(&float/0, 3_000, fn float ->
        for text <- [
              :erlang.float_to_binary(float, [:short]),
              :erlang.float_to_binary(float, scientific: 16),
              :erlang.float_to_binary(float, scientific: 40)
            ] do
          assert Codec.decode(:json, text) === {:ok, float}
        end
      end)
    end
  end

  # With every letter escaped, and space wherever it may be.
  defp other_json(list) when is_list(list),
    do: [?[, Enum.map_intersperse(list, ?,, &other_json/1), ?]] |> spaced()

  defp other_json(map) when is_map(map) do
    entries = Enum.map_intersperse(map, ?,, fn {k, v} -> [other_json(k), ?:, other_json(v)] end)
    spaced([?{, entries, ?}])
  end

  defp other_json(nil), do: spaced("null")
  defp other_json(boolean) when is_boolean(boolean), do: spaced("#{boolean}")
  defp other_json(integer) when is_integer(integer), do: spaced("#{integer}")

  defp other_json(float) when is_float(float),
    do: spaced(:erlang.float_to_binary(float, scientific: 17))

  defp other_json(text) do
    units =
      for <<unit::16 <- :unicode.characters_to_binary(text, :utf8, {:utf16, :big})>>, do: unit

    escaped = Enum.map(units, &["\\u", &1 |> Integer.to_string(16) |> String.pad_leading(4, "0")])
    spaced([?", escaped, ?"])
  end

  defp spaced(iodata) do
    space = fn -> list(fn -> Enum.random(~c" \t\r\n") end, 2) end
    IO.iodata_to_binary([space.(), iodata, space.()])
  end

  # A term that formats have, with such keys and such leaves of its own.
  defp term(0, _key, leaf), do: one_of([&scalar/0, leaf])

  defp term(depth, key, leaf) do
    inner = fn -> term(depth - 1, key, leaf) end
    one_of([fn -> list(inner, 5) end, fn -> map(key, inner, 5) end, &scalar/0, leaf])
  end

  defp scalar do
    one_of([
      fn -> Enum.random([nil, true, false]) end,
      fn -> integer(63) end,
      fn -> Enum.random(0x8000_0000_0000_0000..0xFFFF_FFFF_FFFF_FFFF) end,
      &float/0,
      &text/0,
      fn -> text(300) end
    ])
  end

  defp number do
    one_of([
      fn -> {:i32, integer(31)} end,
      fn -> {:i64, integer(63)} end,
      fn -> {:u32, Enum.random(0..0xFFFF_FFFF)} end,
      fn -> {:u64, Enum.random(0..0xFFFF_FFFF_FFFF_FFFF)} end,
      fn -> {:f64, float()} end,
      fn -> {Enum.random([:f32, :f64]), Enum.random([:nan, :infinity, :neg_infinity])} end,
      fn -> {:bool, Enum.random([true, false])} end,
      fn -> {:string, text()} end,
      fn -> {Enum.random([:raw, :base64]), bytes()} end
    ])
  end

  defp anything(0) do
    one_of([
      &scalar/0,
      &bytes/0,
      fn -> Enum.random([:atom, :nan, {}, self(), make_ref(), &is_atom/1, <<1::3>>, %URI{}]) end,
      fn -> Enum.random([~D[2026-11-21], ~U[2026-11-21 10:00:00Z], %Ext{type: 500, data: 1}]) end,
      fn -> Integer.pow(integer(60), 3) end
    ])
  end

  defp anything(depth) do
    inner = fn -> anything(depth - 1) end

    one_of([
      fn -> list(inner, 4) end,
      fn -> [inner.() | inner.()] end,
      fn -> map(inner, inner, 4) end,
      fn -> {inner.()} end,
      fn -> anything(0) end
    ])
  end

  defp change(bytes) do
    at = :rand.uniform(byte_size(bytes)) - 1
    before = binary_part(bytes, 0, at)
    <<byte, rest::binary>> = binary_part(bytes, at, byte_size(bytes) - at)

    case :rand.uniform(4) do
      1 -> before
      2 -> before <> rest
      3 -> before <> <<:rand.uniform(256) - 1, byte>> <> rest
      4 -> before <> <<:rand.uniform(256) - 1>> <> rest
    end
  end
end
