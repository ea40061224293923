defmodule Vitrine.Pool.Gauges do
  @moduledoc false
  # The numbers that a pool's process and its callers share, read and changed without a lock: how many
  # callers wait and the number of the version, and for each slot its owner, how often it was used,
  # and whether it has an instance, which is a hint for who looks for one.

  @waiting 1
  @version 2

  # The gauges of a slot have a cache line of their own.
  @line 8
  @owner 1
  @uses 2
  @filled 3

  @type t :: :atomics.atomics_ref()

  @doc "Gauges of a pool with so many slots."
  @spec new(pos_integer()) :: t()
  def new(slots), do: :atomics.new(@line * (slots + 1), signed: false)

  @doc """
  Makes a process the owner of a slot that has none, or that one. See `Vitrine.Pool.Owner` for the
  numbers.
  """
  @spec own(t(), pos_integer(), non_neg_integer(), pos_integer()) :: boolean()
  def own(gauges, slot, from \\ 0, owner) do
    :atomics.compare_exchange(gauges, @line * slot + @owner, from, owner) == :ok
  end

  @doc "Takes the owner of a slot away."
  def disown(gauges, slot), do: :atomics.put(gauges, @line * slot + @owner, 0)

  @doc "The number of the slot's owner, 0 for none."
  def owner(gauges, slot), do: :atomics.get(gauges, @line * slot + @owner)

  @doc "How often a slot was used."
  def uses(gauges, slot), do: :atomics.get(gauges, @line * slot + @uses)

  @doc "Counts a use of a slot."
  def count_use(gauges, slot), do: :atomics.add(gauges, @line * slot + @uses, 1)

  @doc "Whether a slot has an instance."
  def filled?(gauges, slot), do: :atomics.get(gauges, @line * slot + @filled) == 1

  def put_filled(gauges, slot, filled?) do
    :atomics.put(gauges, @line * slot + @filled, if(filled?, do: 1, else: 0))
  end

  @doc "How many callers wait."
  def waiting(gauges), do: :atomics.get(gauges, @waiting)
  def put_waiting(gauges, count), do: :atomics.put(gauges, @waiting, count)

  @doc "The number of the version that new calls go to."
  def version(gauges), do: :atomics.get(gauges, @version)
  def put_version(gauges, number), do: :atomics.put(gauges, @version, number)
end
