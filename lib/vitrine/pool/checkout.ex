defmodule Vitrine.Pool.Checkout do
  @moduledoc false
  # A call of a pool, in the process that makes it: lease a slot, use its instance or make one, give
  # the slot back. The pool's process is asked only when no slot is free.
  #
  # The table goes with the pool: what touches it then is a :badarg.

  alias Vitrine.{Error, Native, Server, Telemetry, Trace}
  alias Vitrine.Call.{Deadline, Loop}
  alias Vitrine.Pool.{Policy, Slots, Version}

  @typedoc "What a call is, besides its input and its timeout."
  @type call ::
          {function :: String.t(), context :: term(), Trace.t() | nil, stdin :: binary() | nil}

  @doc "Calls a function in an instance of a pool; without a timeout, with the plugin's."
  @spec call(Slots.t(), call(), binary(), timeout() | nil) ::
          {:ok, binary()} | {:error, Error.t()}
  def call(slots, {function, context, trace, stdin}, input, timeout) do
    with {:ok, slot, left} <- lease(slots, timeout),
         time = {timeout, left},
         {:ok, {_, _, plugin, _, _} = instance, left} <-
           slots |> ready(slot, left) |> told(slots, time) do
      plugin = if trace, do: %{plugin | trace: trace}, else: plugin
      own = {plugin, function, context, stdin}
      run = fn -> run(slots, slot, own, input, left || plugin.timeout) end
      result = Trace.captured(plugin, run)
      return(slots, instance, result)
      told(result, slots, time)
    else
      {:error, error} -> {:error, %{error | function: function}}
    end
  end

  # What the call asked for, and what was left of its time when it had a slot.
  defp told({:error, %{reason: :timeout}} = result, slots, {asked, left}) do
    {_, version} = Slots.version(slots)
    {timeout, whose} = Deadline.of(asked, version.compiled.settings)
    queue = if left != nil, do: {"pool", timeout - left}
    Deadline.told(result, timeout, whose, queue)
  catch
    # The table went with the pool.
    :error, :badarg -> result
  end

  defp told(result, _slots, _time), do: result

  # Slots are most often taken by callers that lost their scheduler in the middle of a short call.
  # To let those end is cheaper than to be handed a slot, after which everybody else has to queue, too.
  defp lease(slots, timeout) do
    slot = free(slots) || (:erlang.yield() && free(slots))
    if slot, do: {:ok, slot, timeout}, else: wait(slots, timeout)
  end

  # Nobody overtakes those who wait.
  defp free(slots) do
    if Slots.waiting(slots) == 0, do: Slots.lease_any(slots, self())
  end

  defp wait(%{pid: pool} = slots, timeout) do
    describe = fn result ->
      reason = reason(result)
      tags = %{pool: slots.label, plugin: Telemetry.tag(Slots.plugin_name(slots)), server: pool}
      Map.merge(tags, %{result: reason || :ok, reason: reason})
    end

    Telemetry.measure([:vitrine, :pool, :queue], describe, fn ->
      Server.ask(pool, {:checkout, timeout})
    end)
  end

  defp reason({:error, error}), do: error.reason
  defp reason(_slot), do: nil

  defp run(slots, slot, {plugin, function, context, stdin}, input, timeout) do
    frame = {Loop.with_stdin!(plugin, stdin), function, context}
    Loop.drive(frame, input, timeout)
  catch
    # No guest's doing, but that of a Logger handler or the like.
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

  # The slot's instance, if it is there and may serve; else a new one.
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
  Makes an instance for a slot that this process has leased; if it cannot be made, the slot is given
  back. Answers with the time that is left of the timeout.
  """
  @spec make(Slots.t(), Slots.slot(), {pos_integer(), Version.t()}, timeout() | nil) ::
          {:ok, Slots.instance(), timeout()} | {:error, Error.t()}
  def make(slots, slot, {number, version}, timeout) do
    timeout = timeout || Version.timeout(version)
    begin = Slots.now()
    # Before there is an instance, so that the pool hears of each.
    if Policy.interval(slots.policy) != :infinity, do: send(slots.pid, :instance)

    with {:ok, plugin} <- instantiate(slots, slot, version, timeout) do
      fill(slots, slot, number, plugin, left(timeout, begin))
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

  defp left(:infinity, _begin), do: :infinity
  defp left(timeout, begin), do: max(timeout - (Slots.now() - begin), 0)

  @doc "Ends a lease, and tells the pool if somebody waits for that."
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
