defmodule Vitrine.HostFunction.Types do
  @moduledoc false
  # The types of host functions, and the Elixir values that fit them.

  import Bitwise

  alias Vitrine.Codec

  @types [:i32, :i64, :f32, :f64, :binary]
  @special_floats [:nan, :infinity, :neg_infinity]
  # The largest float of 32 bits.
  @max_f32 3.4028234663852886e38

  @doc "Resolves the codecs among types. Raises `ArgumentError` for a value that is neither a type nor a codec."
  def resolve!(name, types) do
    for type <- types do
      if type in @types, do: type, else: codec!(name, type)
    end
  end

  # Names that are often used for a type, and its name here.
  defp codec!(name, type) when type in [:externref, :funcref, :anyref, :v128] do
    raise ArgumentError,
          "host function #{inspect(name)}: #{inspect(type)} cannot be declared: numbers and bytes can be passed to the " <>
            "host, references and vectors cannot; expected one of #{inspect(@types)}, or a codec"
  end

  defp codec!(name, type) do
    Codec.resolve!(type)
  rescue
    error in ArgumentError ->
      raise ArgumentError,
            "host function #{inspect(name)}: expected one of #{inspect(@types)}, or " <>
              String.replace_prefix(error.message, "expected ", "")
  end

  @doc "Returns the type of the import that a type is for. Codecs are for bytes."
  def wasm(type) when type in @types, do: type
  def wasm(_codec), do: :binary

  @doc "Returns the value that a guest passed, decoded if its type is a codec."
  def decode(_name, type, value, _position) when type in @types, do: {:ok, value}

  def decode(name, codec, bytes, position),
    do: Codec.read(codec, bytes, "parameter #{position} of the host function #{inspect(name)}")

  @doc "Returns a `{type, value}` pair for the NIF. Raises `ArgumentError` if the value does not fit."
  def encode!(name, type, value) when type in @types do
    case encode(type, value) do
      {:ok, encoded} ->
        {type, encoded}

      :error ->
        raise ArgumentError,
              "host function #{inspect(name)} must return #{describe(type)}, or {:error, text}, returned: " <>
                inspect(value, limit: 5, printable_limit: 80) <> advice(name, type, value)
    end
  end

  def encode!(name, codec, value) do
    case Codec.write(codec, value, "the result of the host function #{inspect(name)}") do
      {:ok, bytes} -> {:binary, bytes}
      {:error, error} -> raise ArgumentError, error.message
    end
  end

  defp encode(:binary, nil), do: {:ok, ""}
  defp encode(:binary, value) when is_binary(value), do: {:ok, value}

  defp encode(:binary, value) when is_list(value) do
    {:ok, IO.iodata_to_binary(value)}
  rescue
    ArgumentError -> :error
  end

  defp encode(:i32, value), do: integer(value, 32)
  defp encode(:i64, value), do: integer(value, 64)

  defp encode(type, value) when type in [:f32, :f64] and value in @special_floats,
    do: {:ok, value}

  defp encode(:f32, value) when is_number(value) and abs(value) <= @max_f32, do: {:ok, value / 1}
  defp encode(:f64, value) when is_float(value), do: {:ok, value}

  defp encode(:f64, value) when is_integer(value) do
    {:ok, value / 1}
  rescue
    ArithmeticError -> :error
  end

  defp encode(_type, _value), do: :error

  # Integers of guests have no sign: a value above the signed range has the same bits as one below zero.
  defp integer(value, bits) when is_integer(value) do
    half = 1 <<< (bits - 1)

    cond do
      value >= -half and value < half -> {:ok, value}
      value >= half and value < 2 * half -> {:ok, value - 2 * half}
      true -> :error
    end
  end

  defp integer(_value, _bits), do: :error

  defp advice(_name, :binary, {:ok, value}) when is_binary(value), do: "; return the value itself"

  defp advice(name, :binary, value) when is_number(value) do
    type = if is_integer(value), do: ":i64", else: ":f64"

    "; to return numbers, declare it: Vitrine.HostFunction.new(#{inspect(name)}, […], #{type}, …)"
  end

  defp advice(_name, :binary, value) when is_map(value) or is_list(value),
    do: "; a codec makes bytes of other terms, such as :json in the place of :binary"

  defp advice(_name, type, value) when is_binary(value) and type in [:i32, :i64, :f32, :f64],
    do: "; to return bytes, declare :binary"

  defp advice(_name, _type, _value), do: ""

  defp describe(:binary), do: "a binary, iodata or nil"
  defp describe(:i32), do: "an integer of 32 bits"
  defp describe(:i64), do: "an integer of 64 bits"

  defp describe(float),
    do: "a number that fits #{float}, or one of #{inspect(@special_floats)}"
end
