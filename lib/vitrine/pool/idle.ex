defmodule Vitrine.Pool.Idle do
  @moduledoc false
  # Drops idle instances that are too many or too old, and makes those that are to be ready. The pool's process drops
  # instances, and a helper of it makes them.

  require Logger

  alias Vitrine.Pool.{Checkout, Policy, Slots}

  @typedoc "The uses of each slot when they were last seen to change, and the time of that."
  @type seen :: %{Slots.slot() => {uses :: integer(), since :: integer()}}

  @doc "Drops idle instances that are old or of an earlier version, and unused ones beyond `min_idle`."
  @spec sweep(Slots.t(), seen()) :: seen()
  def sweep(%Slots{policy: policy} = slots, seen) do
    for slot <- 1..slots.total, owner = Slots.owner(slots, slot), not Process.alive?(owner) do
      Slots.take_back(slots, slot, owner)
    end

    instances = Slots.instances(slots)
    seen = Map.new(instances, fn {slot, _, _} -> {slot, look(slots, seen, slot)} end)
    idle = Enum.reject(instances, fn {slot, _, _} -> Slots.owner(slots, slot) end)
    {old, good} = Enum.split_with(idle, &old?(slots, &1))
    # Slots of high numbers are used last.
    unused = for {slot, _, _} <- Enum.sort(good, :desc), unused?(policy, seen[slot]), do: slot
    spare = Enum.take(unused, max(length(good) - policy.min_idle, 0))
    for slot <- Enum.map(old, &elem(&1, 0)) ++ spare, do: drop(slots, slot)
    seen
  end

  @doc "Tells whether a later sweep may have something to drop. A caller may just be making an instance."
  @spec sweep_again?(Slots.t()) :: boolean()
  def sweep_again?(%Slots{policy: policy} = slots) do
    count = length(Slots.instances(slots))

    count > policy.min_idle or (count > 0 and policy.max_age != :infinity) or
      Slots.leased(slots) != []
  end

  defp look(slots, seen, slot) do
    uses = Slots.uses(slots, slot)

    case seen do
      %{^slot => {^uses, since}} -> {uses, since}
      _changed -> {uses, Slots.now()}
    end
  end

  defp old?(slots, {_slot, version, made}) do
    version != Slots.version_number(slots) or Policy.aged?(slots.policy, made)
  end

  defp unused?(%{idle_timeout: :infinity}, _seen), do: false
  defp unused?(%{idle_timeout: timeout}, {_uses, since}), do: Slots.now() - since >= timeout

  # A caller may have been quicker. While this process has the slot, callers see it as busy.
  defp drop(slots, slot) do
    if Slots.lease(slots, slot, self()) do
      Slots.drop(slots, slot)
      Slots.release(slots, slot)
    end
  end

  @doc "Starts a process that makes instances until `min_idle` are ready."
  @spec warm(Slots.t()) :: {:ok, pid()}
  def warm(slots), do: Task.start_link(fn -> fill(slots) end)

  @doc "Tells whether fewer than `min_idle` instances are ready."
  @spec cold?(Slots.t()) :: boolean()
  def cold?(%Slots{policy: %{min_idle: 0}}), do: false

  def cold?(slots) do
    ready = for {slot, _, _} <- Slots.instances(slots), Slots.owner(slots, slot) == nil, do: slot
    length(ready) < slots.policy.min_idle
  end

  defp fill(slots) do
    slot = if cold?(slots), do: Slots.lease_empty(slots, self())

    case slot && Checkout.make(slots, slot, Slots.version(slots), nil) do
      nil ->
        :ok

      {:ok, _instance, _left} ->
        Checkout.give_back(slots, slot, :keep)
        fill(slots)

      {:error, error} ->
        Logger.warning("a pool cannot make an instance: " <> Exception.message(error))
    end
  end
end
