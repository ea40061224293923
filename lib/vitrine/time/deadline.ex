defmodule Vitrine.Time.Deadline do
  @moduledoc false
  # Points in time, from timeouts in milliseconds.

  @type t :: integer() | :infinity

  @doc "Returns when a timeout ends that begins now."
  @spec at(timeout()) :: t()
  def at(:infinity), do: :infinity
  def at(timeout), do: System.monotonic_time(:millisecond) + timeout

  @doc "Returns the time that is left."
  @spec left(t()) :: timeout()
  def left(:infinity), do: :infinity
  def left(deadline), do: max(deadline - System.monotonic_time(:millisecond), 0)

  @doc "Returns the earlier of two deadlines."
  @spec earlier(t(), t()) :: t()
  # An atom is greater than any number.
  def earlier(a, b), do: min(a, b)
end
