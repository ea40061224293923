defmodule Vitrine.Native.Permit do
  @moduledoc false
  # Permits for the BEAM's dirty CPU schedulers. There are as many permits as schedulers. A process without a permit
  # waits in Vitrine's own queue, and not in that of the BEAM, where the NIFs of other libraries and large garbage
  # collections wait, too. See native/vitrine_core/src/schedule/run_queue.

  alias Vitrine.Native

  @typedoc "A permit. It is given to a NIF on a dirty scheduler, which gives it back."
  @type t :: reference()

  @doc "Returns a permit for a call's next slice, or `:over` if the call has no time left and can only end."
  @spec for_call(call :: reference(), t() | nil) :: t() | :over
  def for_call(call, permit \\ nil) do
    # Made here, as in Vitrine.Native.await/1.
    id = make_ref()

    case Native.call_permit(call, permit, id, schedulers()) do
      {:ok, permit} ->
        permit

      {:wait, permit, milliseconds} ->
        receive do
          {:vitrine_wake, ^id} -> for_call(call, permit)
        after
          milliseconds ->
            Native.permit_leave(permit)

            # One that came just before.
            receive do
              {:vitrine_wake, ^id} -> :ok
            after
              0 -> :ok
            end

            for_call(call)
        end

      :over ->
        :over
    end
  end

  @doc "Returns a permit for other work, and what is left of `timeout` then. `:over` if nothing is left."
  @spec take(timeout(), t() | nil) :: {t(), timeout()} | :over
  def take(timeout, permit \\ nil) do
    id = make_ref()

    case Native.permit_ask(permit, id, schedulers()) do
      {:ok, permit} ->
        {permit, timeout}

      {:wait, permit} ->
        asked = now()

        receive do
          {:vitrine_wake, ^id} -> timeout |> left(asked) |> take(permit)
        after
          timeout ->
            Native.permit_leave(permit)

            receive do
              {:vitrine_wake, ^id} -> :over
            after
              0 -> :over
            end
        end
    end
  end

  defp left(:infinity, _since), do: :infinity
  defp left(timeout, since), do: max(timeout - (now() - since), 0)

  defp now, do: System.monotonic_time(:millisecond)

  @doc "Runs a NIF on a dirty scheduler that does not give the permit back itself."
  @spec run((() -> result)) :: result when result: term()
  def run(work) do
    {permit, :infinity} = take(:infinity)

    try do
      work.()
    after
      Native.permit_leave(permit)
    end
  end

  # The number can be changed while the system runs.
  defp schedulers, do: :erlang.system_info(:dirty_cpu_schedulers_online)
end
