defmodule Vitrine.Pool.Policy do
  @moduledoc false
  # Decides when an instance has served long enough.

  alias Vitrine.Error
  alias Vitrine.Pool.Slots

  @enforce_keys [:reset?, :max_calls, :max_age, :min_idle, :idle_timeout]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          reset?: boolean(),
          max_calls: pos_integer() | :infinity,
          max_age: timeout(),
          min_idle: non_neg_integer(),
          idle_timeout: timeout()
        }

  # The reasons after which the guest has returned, or was never entered.
  @harmless [:guest_error, :function_not_found, :output_too_large]

  @doc "Tells whether an instance may serve another call after one with this result."
  @spec sound?({:ok, term()} | {:error, Error.t()}) :: boolean()
  def sound?({:ok, _output}), do: true
  def sound?({:error, %Error{reason: reason}}), do: reason in @harmless

  @doc """
  Tells whether an instance that has served a call stays. In a slot of the overflow it stays only if callers wait.
  """
  @spec keep?(Slots.t(), Slots.instance()) :: boolean()
  def keep?(%Slots{policy: %{reset?: true}}, _instance), do: false

  def keep?(slots, {slot, _, _, _, _} = instance) do
    (slot <= slots.size or Slots.waiting(slots) > 0) and current?(slots, instance)
  end

  @doc "Tells whether an instance may serve the next call."
  @spec current?(Slots.t(), Slots.instance()) :: boolean()
  def current?(%Slots{policy: policy} = slots, {slot, version, _plugin, made, uses}) do
    version == Slots.version_number(slots) and not aged?(policy, made) and
      (policy.max_calls == :infinity or Slots.uses(slots, slot) - uses < policy.max_calls)
  end

  @doc "Tells whether an instance that was made at this time is too old."
  @spec aged?(t(), integer()) :: boolean()
  def aged?(%{max_age: :infinity}, _made), do: false
  def aged?(%{max_age: max_age}, made), do: Slots.now() - made >= max_age

  @doc "Returns how often idle instances are checked, in milliseconds."
  @spec interval(t()) :: timeout()
  # Atoms are greater than numbers.
  def interval(policy), do: min(policy.idle_timeout, policy.max_age)
end
