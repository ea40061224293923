defmodule Vitrine.Codec.MessagePack.Ext do
  @moduledoc """
  A value of one of MessagePack's extension types, from -128 to 127. The negative types are MessagePack's own: -1 is a
  timestamp.
  """

  @typedoc "An extension type of MessagePack, and its bytes."
  @type t :: %__MODULE__{type: -128..127, data: binary()}

  @enforce_keys [:type, :data]
  defstruct [:type, :data]

  @doc """
  Returns a timestamp of a time, in the shortest form that can hold it.

      iex> Vitrine.Codec.MessagePack.Ext.from_datetime(~U[1970-01-01 00:00:01Z])
      %Vitrine.Codec.MessagePack.Ext{type: -1, data: <<0, 0, 0, 1>>}
  """
  @spec from_datetime(DateTime.t()) :: t()
  def from_datetime(%DateTime{} = time) do
    microseconds = DateTime.to_unix(time, :microsecond)
    seconds = Integer.floor_div(microseconds, 1_000_000)
    nanoseconds = Integer.mod(microseconds, 1_000_000) * 1_000

    data =
      cond do
        seconds in 0..0xFFFF_FFFF and nanoseconds == 0 -> <<seconds::32>>
        seconds in 0..0x3_FFFF_FFFF -> <<nanoseconds::30, seconds::34>>
        true -> <<nanoseconds::32, seconds::64>>
      end

    %__MODULE__{type: -1, data: data}
  end

  @doc """
  Returns the time of a timestamp, in UTC and cut to microseconds. Returns `:error` for other values, and for a
  timestamp that `DateTime` cannot represent.

      iex> time = ~U[2026-11-21 12:00:00.123456Z]
      iex> time |> Vitrine.Codec.MessagePack.Ext.from_datetime() |> Vitrine.Codec.MessagePack.Ext.to_datetime()
      {:ok, ~U[2026-11-21 12:00:00.123456Z]}
  """
  @spec to_datetime(t()) :: {:ok, DateTime.t()} | :error
  def to_datetime(%__MODULE__{type: -1, data: <<seconds::32>>}), do: datetime(seconds, 0)

  def to_datetime(%__MODULE__{type: -1, data: <<nanoseconds::30, seconds::34>>}),
    do: datetime(seconds, nanoseconds)

  def to_datetime(%__MODULE__{type: -1, data: <<nanoseconds::32, seconds::signed-64>>}),
    do: datetime(seconds, nanoseconds)

  def to_datetime(%__MODULE__{}), do: :error

  defp datetime(seconds, nanoseconds) when nanoseconds < 1_000_000_000 do
    case DateTime.from_unix(seconds) do
      {:ok, time} when nanoseconds == 0 -> {:ok, time}
      {:ok, time} -> {:ok, %{time | microsecond: {div(nanoseconds, 1_000), 6}}}
      {:error, _} -> :error
    end
  end

  defp datetime(_seconds, _nanoseconds), do: :error
end
