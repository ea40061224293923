defmodule Vitrine.Pool.Checkout do
  @moduledoc false
  # A call of a pool, in the process that makes it: leases a slot, uses its instance or makes one, and gives the slot
  # back. The pool's process is asked only if no slot is free.
  #
  # The table goes with the pool: access to it raises :badarg then.

  alias Vitrine.{Error, Native, Telemetry, Trace}
  alias Vitrine.Call.{Frame, Loop, Timeout}
  alias Vitrine.Pool.{Policy, Slots, Version}
  alias Vitrine.Process.{Client, Request}
  alias Vitrine.Time.Deadline

  @doc "Calls a function in an instance of a pool."
  @spec call(Slots.t(), Request.t()) :: {:ok, binary()} | {:error, Error.t()}
  def call(slots, %Request{function: function, timeout: timeout} = request) do
    with {:ok, slot, left} <- lease(slots, timeout),
         time = {timeout, left},
         {:ok, {_, _, plugin, _, _} = instance, left} <-
           slots |> ready(slot, left) |> explain(slots, time) do
      frame = Request.frame(request, plugin)
      run = fn -> run(slots, slot, frame, request.input, left || plugin.timeout) end
      result = Trace.captured(frame, run)
      return(slots, instance, result)
      explain(result, slots, time)
    else
      {:error, error} -> {:error, %{error | function: function}}
    end
  end

  # `asked` is the timeout of the call, and `left` what was left of it when it got a slot.
  defp explain({:error, %{reason: :timeout}} = result, slots, {asked, left}) do
    {_, version} = Slots.version(slots)
    {timeout, whose} = Timeout.of(asked, version.compiled.settings)
    queue = if left != nil, do: {"pool", timeout - left}
    Timeout.explain(result, timeout, whose, queue)
  catch
    # The table went with the pool.
    :error, :badarg -> result
  end

  defp explain(result, _slots, _time), do: result

  # Slots are mostly taken by callers that lost their scheduler in the middle of a short call. Letting these end is
  # cheaper than waiting for a slot in the queue, which makes all other callers queue, too.
  defp lease(slots, timeout) do
    slot = free(slots) || free_after_yield(slots)
    if slot, do: {:ok, slot, timeout}, else: wait(slots, timeout)
  end

  # No caller overtakes those that wait.
  defp free(slots) do
    if Slots.waiting(slots) == 0, do: Slots.lease_any(slots, self())
  end

  defp free_after_yield(slots) do
    :erlang.yield()
    free(slots)
  end

  defp wait(%{pid: pool} = slots, timeout) do
    describe = fn result ->
      reason = reason(result)
      tags = %{pool: slots.label, plugin: Telemetry.tag(Slots.plugin_name(slots)), server: pool}
      Map.merge(tags, %{result: reason || :ok, reason: reason})
    end

    Telemetry.measure([:vitrine, :pool, :queue], describe, fn ->
      Client.ask(pool, {:checkout, timeout})
    end)
  end

  defp reason({:error, error}), do: error.reason
  defp reason(_slot), do: nil

  defp run(slots, slot, frame, input, timeout) do
    frame |> Frame.check!() |> Loop.drive(input, timeout)
  catch
    # This is not the guest's doing. It comes from a Logger handler, for example.
    kind, reason ->
      give_back(slots, slot, :drop)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp return(slots, {slot, _, _, _, _} = instance, result) do
    Slots.count_use(slots, slot)

    if Policy.sound?(result) and Policy.keep?(slots, instance) do
      give_back(slots, slot, :keep)
    else
      give_back(slots, slot, :drop)
      if slots.policy.min_idle > 0, do: send(slots.pid, :warm)
    end
  end

  # The slot's instance if there is one that may serve, or a new one.
  defp ready(slots, slot, timeout) do
    case found(slots, slot) do
      {:instance, instance} -> {:ok, instance, timeout}
      {:version, version} -> make(slots, slot, version, timeout)
      :closed -> closed()
    end
  end

  defp found(slots, slot) do
    instance = Slots.instance(slots, slot)

    if instance != nil and Policy.current?(slots, instance) do
      {:instance, instance}
    else
      Slots.drop(slots, slot)
      {:version, Slots.version(slots)}
    end
  catch
    :error, :badarg -> :closed
  end

  @doc """
  Makes an instance for a slot that this process has leased. If it cannot be made, the slot is given back. Gives the
  time that is left of the timeout.
  """
  @spec make(Slots.t(), Slots.slot(), {pos_integer(), Version.t()}, timeout() | nil) ::
          {:ok, Slots.instance(), timeout()} | {:error, Error.t()}
  def make(slots, slot, {number, version}, timeout) do
    timeout = timeout || Version.timeout(version)
    deadline = Deadline.at(timeout)
    # Sent before there is an instance, so that the pool hears of each.
    if Policy.interval(slots.policy) != :infinity, do: send(slots.pid, :instance)

    with {:ok, plugin} <- instantiate(slots, slot, version, timeout) do
      fill(slots, slot, number, plugin, Deadline.left(deadline))
    end
  end

  defp instantiate(slots, slot, version, timeout) do
    with {:error, _} = error <- Version.instantiate(version, timeout, slots.pid) do
      give_back(slots, slot, :drop)
      error
    end
  catch
    kind, reason ->
      give_back(slots, slot, :drop)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp fill(slots, slot, number, plugin, left) do
    {:ok, Slots.fill(slots, slot, number, plugin), left}
  catch
    :error, :badarg ->
      Native.plugin_close(plugin.ref)
      closed()
  end

  @doc "Ends a lease, and tells the pool if a caller waits for that."
  @spec give_back(Slots.t(), Slots.slot(), :keep | :drop) :: :ok
  def give_back(slots, slot, instance) do
    if instance == :drop, do: Slots.drop(slots, slot)
    Slots.release(slots, slot)
    if Slots.waiting(slots) > 0, do: send(slots.pid, {:free, slot})
    :ok
  catch
    :error, :badarg -> :ok
  end

  defp closed, do: {:error, %Error{reason: :closed, message: "the pool is not running"}}
end
