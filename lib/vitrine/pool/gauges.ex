defmodule Vitrine.Pool.Gauges do
  @moduledoc false
  # The numbers that a pool's process and its callers share, which are read and changed without a lock. They are the
  # number of waiting callers and the number of the version, and for each slot its owner, the number of its uses, and
  # whether it has an instance, which is a hint for callers that look for one.

  @waiting 1
  @version 2

  # The gauges of a slot have a cache line of their own.
  @line 8
  @owner 1
  @uses 2
  @filled 3

  @type t :: :atomics.atomics_ref()

  @doc "Returns the gauges of a pool with this number of slots."
  @spec new(pos_integer()) :: t()
  def new(slots), do: :atomics.new(@line * (slots + 1), signed: false)

  @doc """
  Makes a process the owner of a slot that has none, or whose owner is `from`. `Vitrine.Pool.Owner` describes the
  numbers.
  """
  @spec own(t(), pos_integer(), non_neg_integer(), pos_integer()) :: boolean()
  def own(gauges, slot, from \\ 0, owner) do
    :atomics.compare_exchange(gauges, @line * slot + @owner, from, owner) == :ok
  end

  @doc "Removes the owner of a slot."
  @spec disown(t(), pos_integer()) :: :ok
  def disown(gauges, slot), do: :atomics.put(gauges, @line * slot + @owner, 0)

  @doc "Returns the number of the slot's owner, or 0 if it has none."
  @spec owner(t(), pos_integer()) :: non_neg_integer()
  def owner(gauges, slot), do: :atomics.get(gauges, @line * slot + @owner)

  @doc "Returns how often a slot was used."
  @spec uses(t(), pos_integer()) :: non_neg_integer()
  def uses(gauges, slot), do: :atomics.get(gauges, @line * slot + @uses)

  @doc "Counts a use of a slot."
  @spec count_use(t(), pos_integer()) :: :ok
  def count_use(gauges, slot), do: :atomics.add(gauges, @line * slot + @uses, 1)

  @doc "Tells whether a slot has an instance."
  @spec filled?(t(), pos_integer()) :: boolean()
  def filled?(gauges, slot), do: :atomics.get(gauges, @line * slot + @filled) == 1

  @spec put_filled(t(), pos_integer(), boolean()) :: :ok
  def put_filled(gauges, slot, filled?) do
    :atomics.put(gauges, @line * slot + @filled, if(filled?, do: 1, else: 0))
  end

  @doc "Returns how many callers wait."
  @spec waiting(t()) :: non_neg_integer()
  def waiting(gauges), do: :atomics.get(gauges, @waiting)

  @spec put_waiting(t(), non_neg_integer()) :: :ok
  def put_waiting(gauges, count), do: :atomics.put(gauges, @waiting, count)

  @doc "Returns the number of the version that new calls go to."
  @spec version(t()) :: non_neg_integer()
  def version(gauges), do: :atomics.get(gauges, @version)

  @spec put_version(t(), pos_integer()) :: :ok
  def put_version(gauges, number), do: :atomics.put(gauges, @version, number)
end
