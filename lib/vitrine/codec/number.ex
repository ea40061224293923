defmodule Vitrine.Codec.Number do
  @moduledoc false
  # Values of a fixed size, the lowest byte first. The type stands in the place of options.
  # Erlang has no infinities and no NaN, so they are atoms.

  @behaviour Vitrine.Codec

  alias Vitrine.Text.Printable

  # The largest float of 32 bits.
  @max_f32 3.4028234663852886e38

  @impl true
  def encode(value, type: type) do
    {:ok, bytes(type, value)}
  rescue
    # The value has no clause, or the integer is too large for a float.
    _ in [FunctionClauseError, ArgumentError] ->
      {:error, "expected #{describe(type)}, got: #{Printable.term(value)}"}
  end

  defp bytes(:bool, false), do: <<0>>
  defp bytes(:bool, true), do: <<1>>
  defp bytes(:i32, v) when v in -0x8000_0000..0x7FFF_FFFF, do: <<v::little-32>>
  defp bytes(:u32, v) when v in 0..0xFFFF_FFFF, do: <<v::little-32>>

  defp bytes(:i64, v) when v in -0x8000_0000_0000_0000..0x7FFF_FFFF_FFFF_FFFF,
    do: <<v::little-64>>

  defp bytes(:u64, v) when v in 0..0xFFFF_FFFF_FFFF_FFFF, do: <<v::little-64>>
  defp bytes(:f32, :infinity), do: <<0::16, 0x80, 0x7F>>
  defp bytes(:f32, :neg_infinity), do: <<0::16, 0x80, 0xFF>>
  defp bytes(:f32, :nan), do: <<0::16, 0xC0, 0x7F>>
  defp bytes(:f32, v) when is_number(v) and abs(v) <= @max_f32, do: <<v::little-float-32>>
  defp bytes(:f64, :infinity), do: <<0::48, 0xF0, 0x7F>>
  defp bytes(:f64, :neg_infinity), do: <<0::48, 0xF0, 0xFF>>
  defp bytes(:f64, :nan), do: <<0::48, 0xF8, 0x7F>>
  defp bytes(:f64, v) when is_number(v), do: <<v::little-float-64>>

  @impl true
  def decode(bytes, type: type) do
    if byte_size(bytes) == size(type) do
      {:ok, value(type, bytes)}
    else
      {:error, "expected #{size(type)} bytes, got #{byte_size(bytes)}"}
    end
  end

  defp size(:bool), do: 1
  defp size(type) when type in [:i32, :u32, :f32], do: 4
  defp size(type) when type in [:i64, :u64, :f64], do: 8

  defp value(:bool, <<v>>), do: v != 0
  defp value(:i32, <<v::little-signed-32>>), do: v
  defp value(:u32, <<v::little-32>>), do: v
  defp value(:i64, <<v::little-signed-64>>), do: v
  defp value(:u64, <<v::little-64>>), do: v
  defp value(:f32, <<v::little-float-32>>), do: v
  defp value(:f32, <<0::16, 0x80, 0x7F>>), do: :infinity
  defp value(:f32, <<0::16, 0x80, 0xFF>>), do: :neg_infinity
  defp value(:f64, <<v::little-float-64>>), do: v
  defp value(:f64, <<0::48, 0xF0, 0x7F>>), do: :infinity
  defp value(:f64, <<0::48, 0xF0, 0xFF>>), do: :neg_infinity
  defp value(_float, _bytes), do: :nan

  defp describe(:bool), do: "true or false"
  defp describe(:i32), do: "an integer of 32 bits"
  defp describe(:i64), do: "an integer of 64 bits"
  defp describe(:u32), do: "an integer from 0, of 32 bits"
  defp describe(:u64), do: "an integer from 0, of 64 bits"
  defp describe(float), do: "a number that fits #{float}, :nan, :infinity or :neg_infinity"
end
