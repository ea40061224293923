defmodule Vitrine.Pool.Slots do
  @moduledoc false
  # The slots that a pool's process and its callers share. Each slot can be leased and can hold an instance.
  #
  # Leases are gauges. A process takes a lease by exchanging 0 for its own number, which at most one process achieves.
  # The same step says whose the slot is: whenever the owner is killed, its number is still in the gauge. Only the
  # pool's process takes such slots back. Only the owner of a slot touches its instance.
  #
  # Instances are rows of a table, which the pool's process owns:
  #
  #   {slot, version, plugin, made, uses}
  #   {:version, number, %Version{}}         what instances are made from now
  #   {:plugin, name, hash}                  its name and hash, because the version is large to read
  #
  # The table also has the rows of Vitrine.Pool.Account.
  #
  # While callers wait, only the pool's process gives slots out, in order, and whoever gives one back tells it. The
  # number of waiting callers is set before the pool looks for free slots, and read after a slot was given back, so that
  # one of the two sees the other.

  alias Vitrine.Plugin
  alias Vitrine.Pool.{Account, Gauges, Owner, Version}
  alias Vitrine.Process.Directory

  @enforce_keys [:pid, :table, :gauges, :size, :total, :partitions, :policy, :label, :starter] ++
                  [:since]
  defstruct @enforce_keys

  @type slot :: pos_integer()

  @typedoc "An instance, as a row of the table."
  @type instance ::
          {slot(), version :: pos_integer(), Plugin.t(), made :: integer(), uses :: integer()}

  @typedoc "`size` slots, and up to `total` when that is not enough."
  @type t :: %__MODULE__{
          pid: pid(),
          table: :ets.table(),
          gauges: Gauges.t(),
          size: pos_integer(),
          total: pos_integer(),
          partitions: pos_integer(),
          policy: Vitrine.Pool.Policy.t(),
          label: String.t(),
          starter: pid() | nil,
          since: integer()
        }

  @doc "Returns the slots of a pool, whose process calls this."
  @spec new(Vitrine.Pool.Options.t(), Vitrine.Pool.Policy.t()) :: t()
  def new(options, policy) do
    total = options.size + options.overflow
    table = :ets.new(__MODULE__, [:public, read_concurrency: options.partitions > 1])
    Account.open(table)

    %__MODULE__{
      pid: self(),
      table: table,
      gauges: Gauges.new(total),
      size: options.size,
      total: total,
      partitions: options.partitions,
      policy: policy,
      label: Directory.label(options.name),
      starter: Directory.starter(),
      since: System.system_time(:microsecond)
    }
  end

  @doc "Returns the slots of a pool of this node, by its pid or name, or `nil` if there is no such pool."
  @spec find(GenServer.server()) :: t() | nil
  def find(pool) do
    with pid when is_pid(pid) and node(pid) == node() <- GenServer.whereis(pool),
         %__MODULE__{} = slots <- Directory.lookup(pid) do
      slots
    else
      _no_pool_here -> nil
    end
  end

  ## Leases

  @doc """
  Leases a free slot: the lowest one that has an instance, or else an empty one. Slots of this scheduler's partition
  come first, and those of the overflow last.
  """
  @spec lease_any(t(), pid()) :: slot() | nil
  def lease_any(%__MODULE__{partitions: partitions} = slots, pid) do
    partition = rem(:erlang.system_info(:scheduler_id) - 1, partitions)
    owner = Owner.encode(pid)

    search(slots, owner, :filled, partition, partition + 1, partitions) ||
      search(slots, owner, :any, partition, partition + 1, partitions) ||
      overflow(slots, owner, slots.size + 1)
  end

  # Slot n belongs to partition rem(n - 1, partitions).
  defp search(_slots, _owner, _which, _partition, _slot, 0), do: nil

  defp search(slots, owner, which, partition, slot, left) when slot > slots.size do
    next = rem(partition + 1, slots.partitions)
    search(slots, owner, which, next, next + 1, left - 1)
  end

  defp search(slots, owner, which, partition, slot, left) do
    if (which == :any or filled?(slots, slot)) and Gauges.own(slots.gauges, slot, owner) do
      slot
    else
      search(slots, owner, which, partition, slot + slots.partitions, left)
    end
  end

  defp overflow(slots, _owner, slot) when slot > slots.total, do: nil

  defp overflow(slots, owner, slot) do
    if Gauges.own(slots.gauges, slot, owner), do: slot, else: overflow(slots, owner, slot + 1)
  end

  @doc "Leases an empty slot that is not of the overflow."
  @spec lease_empty(t(), pid()) :: slot() | nil
  def lease_empty(slots, pid) do
    Enum.find(1..slots.size, fn slot ->
      not filled?(slots, slot) and lease(slots, slot, pid)
    end)
  end

  @doc "Leases this slot for a process, if it is free."
  @spec lease(t(), slot(), pid()) :: boolean()
  def lease(slots, slot, pid), do: Gauges.own(slots.gauges, slot, Owner.encode(pid))

  @doc "Ends a lease."
  @spec release(t(), slot()) :: :ok
  def release(slots, slot), do: Gauges.disown(slots.gauges, slot)

  @doc """
  Frees the slot of a dead process. Only the pool's process calls this. Nothing happens if another process has the slot
  now, because the dead one had given it back before it died.
  """
  @spec take_back(t(), slot(), pid()) :: :ok
  def take_back(%__MODULE__{pid: pool} = slots, slot, dead) do
    if Gauges.own(slots.gauges, slot, Owner.encode(dead), Owner.encode(pool)) do
      drop(slots, slot)
      release(slots, slot)
    end

    :ok
  end

  @doc "Returns the owner of a slot."
  @spec owner(t(), slot()) :: pid() | nil
  def owner(slots, slot) do
    case Gauges.owner(slots.gauges, slot) do
      0 -> nil
      owner -> Owner.decode(owner)
    end
  end

  @doc "Returns all leases of living processes."
  @spec leased(t()) :: [{slot(), pid()}]
  def leased(slots) do
    for slot <- 1..slots.total, pid = owner(slots, slot), Process.alive?(pid), do: {slot, pid}
  end

  ## Instances

  @doc "Returns the slot's instance."
  @spec instance(t(), slot()) :: instance() | nil
  def instance(slots, slot) do
    case :ets.lookup(slots.table, slot) do
      [instance] -> instance
      [] -> nil
    end
  end

  @doc "Returns all instances without their plugins."
  @spec instances(t()) :: [{slot(), version :: pos_integer(), made :: integer()}]
  def instances(slots) do
    :ets.select(slots.table, [
      {{:"$1", :"$2", :_, :"$3", :_}, [is_integer: :"$1"], [{{:"$1", :"$2", :"$3"}}]}
    ])
  end

  @doc "Returns what all instances have done, including those that were dropped."
  @spec stats(t()) :: Vitrine.stats()
  def stats(slots) do
    plugins =
      :ets.select(slots.table, [{{:"$1", :_, :"$2", :_, :_}, [is_integer: :"$1"], [:"$2"]}])

    Account.stats(slots.table, plugins)
  end

  @doc "Tells whether the slot seems to have an instance."
  @spec filled?(t(), slot()) :: boolean()
  def filled?(slots, slot), do: Gauges.filled?(slots.gauges, slot)

  @doc "Puts an instance into a slot that is leased."
  @spec fill(t(), slot(), pos_integer(), Plugin.t()) :: instance()
  def fill(slots, slot, version, plugin) do
    instance = {slot, version, plugin, now(), uses(slots, slot)}
    :ets.insert(slots.table, instance)
    Gauges.put_filled(slots.gauges, slot, true)
    instance
  end

  @doc "Drops the instance of a slot that is leased, and stops the call that it may be in."
  @spec drop(t(), slot()) :: :ok
  def drop(slots, slot) do
    Gauges.put_filled(slots.gauges, slot, false)

    for {_, _, plugin, _, _} <- :ets.take(slots.table, slot),
        do: Account.close(slots.table, slots.pid, plugin)

    :ok
  end

  ## Gauges and the version

  @doc "Returns how often a slot was used."
  @spec uses(t(), slot()) :: non_neg_integer()
  def uses(slots, slot), do: Gauges.uses(slots.gauges, slot)

  @doc "Returns how often all slots were used."
  @spec all_uses(t()) :: non_neg_integer()
  def all_uses(slots), do: Enum.sum(Enum.map(1..slots.total, &uses(slots, &1)))

  @doc "Counts a use of a slot, when it has ended."
  @spec count_use(t(), slot()) :: :ok
  def count_use(slots, slot), do: Gauges.count_use(slots.gauges, slot)

  @doc "Returns how many callers wait."
  @spec waiting(t()) :: non_neg_integer()
  def waiting(slots), do: Gauges.waiting(slots.gauges)

  @spec put_waiting(t(), non_neg_integer()) :: :ok
  def put_waiting(slots, count), do: Gauges.put_waiting(slots.gauges, count)

  @doc "Returns the number of the version that new calls go to."
  @spec version_number(t()) :: non_neg_integer()
  def version_number(slots), do: Gauges.version(slots.gauges)

  @doc "Returns the version that new calls go to."
  @spec version(t()) :: {pos_integer(), Version.t()}
  def version(slots) do
    [{:version, number, version}] = :ets.lookup(slots.table, :version)
    {number, version}
  end

  @doc "Returns the name of that version's plugin, as errors show it, or `nil` if the pool has just ended."
  @spec plugin_name(t()) :: String.t() | nil
  def plugin_name(slots) do
    :ets.lookup_element(slots.table, :plugin, 2)
  catch
    :error, :badarg -> nil
  end

  @doc """
  Returns the plugin's name and hash, the number of calls that have ended, and the fuel that dropped instances have
  used. `nil` if the pool has just ended.
  """
  @spec past(t()) :: {String.t(), String.t(), non_neg_integer(), non_neg_integer()} | nil
  def past(slots) do
    [{:plugin, name, hash}] = :ets.lookup(slots.table, :plugin)
    {name, hash, all_uses(slots), Account.past_fuel(slots.table)}
  catch
    :error, :badarg -> nil
  end

  @doc "Lets new calls go to this version."
  @spec put_version(t(), Version.t()) :: :ok
  def put_version(slots, version) do
    number = version_number(slots) + 1

    :ets.insert(slots.table, [
      {:version, number, version},
      {:plugin, version.compiled.name, version.compiled.hash}
    ])

    Gauges.put_version(slots.gauges, number)
  end

  @doc "Returns the present time, on the clock by which the ages of instances are counted."
  @spec now() :: integer()
  def now, do: System.monotonic_time(:millisecond)
end
