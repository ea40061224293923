defmodule Vitrine.HTTP.Deadline do
  @moduledoc false
  # Points in time, from timeouts in milliseconds.

  @type t :: integer() | :infinity

  @doc "The end of a timeout that begins now."
  @spec in_time(timeout()) :: t()
  def in_time(:infinity), do: :infinity
  def in_time(timeout), do: System.monotonic_time(:millisecond) + timeout

  @doc "The time that is left."
  @spec left(t()) :: timeout()
  def left(:infinity), do: :infinity
  def left(deadline), do: max(deadline - System.monotonic_time(:millisecond), 0)

  @doc "The earlier of two."
  @spec earlier(t(), t()) :: t()
  # An atom is greater than any number.
  def earlier(a, b), do: min(a, b)
end
