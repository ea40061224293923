defmodule Vitrine.Pool.Server do
  @moduledoc false
  # A pool's process. It owns the table of slots, and is asked for a slot only when all are taken. It runs a guest only
  # once, when it starts, and waits for guests only when it ends.

  use GenServer

  alias Vitrine.Call.{Proxy, Timeout}
  alias Vitrine.Plugin
  alias Vitrine.Process.{Client, Directory, Request, Status}

  alias Vitrine.Pool.{
    Account,
    Checkout,
    Drain,
    Idle,
    Options,
    Policy,
    Slots,
    Version,
    Waiting
  }

  # A pool without work gives its heap back after this time, in milliseconds.
  @hibernate_after 1_000

  @derive {Inspect, only: [:waiting]}
  defstruct [:options, :waiting, :timer, :warmer, warm_again?: false, seen: %{}]

  def start_link(%Options{} = options, server_options) do
    GenServer.start_link(__MODULE__, options, [
      {:hibernate_after, @hibernate_after} | server_options
    ])
  end

  @doc false
  # By this the directory recognises the process.
  def __vitrine__, do: :pool

  @impl true
  def init(options) do
    with {:ok, version} <- Version.load(options.source, options.plugin, options.vars) do
      # So that terminate/2 runs when the supervisor wants it.
      Process.flag(:trap_exit, true)
      slots = Slots.new(options, options.policy)
      Slots.put_version(slots, version)
      Directory.join(slots) || Directory.not_started!()
      # The version has the source.
      state = %__MODULE__{options: %{options | source: nil}, waiting: %Waiting{slots: slots}}
      {:ok, state, {:continue, :warm}}
    else
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_continue(:warm, state), do: {:noreply, warm(state), :hibernate}

  @impl true
  def handle_call({:checkout, timeout}, from, %{options: options} = state) do
    deadline = Timeout.of(timeout, current(state).compiled.settings)
    %{queue_timeout: queue_timeout, max_queue: max_queue} = options
    waiting = Waiting.enter(state.waiting, from, deadline, queue_timeout, max_queue)
    {:noreply, %{state | waiting: waiting}}
  end

  # A client did not find this pool in the directory, which was not there when the pool joined it.
  def handle_call(:introduce, _from, state),
    do: {:reply, Directory.put(slots(state)), state}

  def handle_call(:configuration, _from, %{options: options} = state),
    do: {:reply, {:ok, {options.plugin, options.vars}}, state}

  def handle_call({:upgrade, version, plugin, vars}, _from, state) do
    Slots.put_version(slots(state), version)
    state = %{state | options: %{state.options | plugin: plugin, vars: vars}}
    {:reply, :ok, state |> sweep() |> warm()}
  end

  def handle_call(:stats, _from, state), do: {:reply, Slots.stats(slots(state)), state}

  def handle_call({:function_exists?, name}, _from, state),
    do: {:reply, name in current(state).compiled.interface.functions, state}

  def handle_call(:functions, _from, state),
    do: {:reply, {:ok, current(state).compiled.interface.functions}, state}

  # The call comes from another node, and so does what takes the events of its trace.
  def handle_call(%Request{} = request, from, state) do
    slots = slots(state)
    Proxy.start(from, fn -> Checkout.call(slots, %{request | trace: nil}) end)
    {:noreply, state}
  end

  def handle_call(:info, _from, state) do
    message = "expected a server, got: #{inspect(self())}, which is a pool"
    {:reply, {:argument_error, message}, state}
  end

  def handle_call({:upgrade, _source, _options} = question, _from, state) do
    found = "the pool #{inspect(self())}; use Vitrine.Pool.upgrade/3"
    {:reply, Client.misdirected(question, "a server", found), state}
  end

  def handle_call(question, _from, state) do
    found = "the pool #{inspect(self())}, whose instances each have a state of their own"
    {:reply, Client.misdirected(question, "a plugin or a server", found), state}
  end

  @impl true
  def handle_cast(_message, state), do: {:noreply, state}

  @impl true
  def handle_info({:free, slot}, %{waiting: %{slots: %{total: total}}} = state)
      when slot in 1..total//1,
      do: {:noreply, update(state, &Waiting.free(&1, slot))}

  def handle_info({:expired, id}, state), do: {:noreply, update(state, &Waiting.expired(&1, id))}

  # The application was stopped, and is back.
  def handle_info({Directory, :join}, state) do
    Directory.join(slots(state))
    {:noreply, state}
  end

  def handle_info({:DOWN, monitor, :process, _, _}, state),
    do: {:noreply, state |> update(&Waiting.down(&1, monitor)) |> warm()}

  def handle_info({:account, %Plugin{} = plugin}, state) do
    Account.add(slots(state).table, plugin)
    {:noreply, state}
  end

  def handle_info(:instance, %{timer: nil} = state), do: {:noreply, schedule(state)}
  def handle_info(:sweep, state), do: {:noreply, %{state | timer: nil} |> sweep() |> warm()}
  def handle_info(:warm, state), do: {:noreply, warm(state)}

  # A helper that failed is started again only when there is a new reason for it.
  def handle_info({:EXIT, warmer, _}, %{warmer: warmer} = state) do
    again? = state.warm_again?
    state = %{state | warmer: nil, warm_again?: false}
    {:noreply, if(again?, do: warm(state), else: state)}
  end

  def handle_info({:EXIT, _linked, :normal}, state), do: {:noreply, state}
  def handle_info({:EXIT, _linked, reason}, state), do: {:stop, reason, state}
  def handle_info(_message, state), do: {:noreply, state}

  defp update(state, change), do: %{state | waiting: change.(state.waiting)}

  defp slots(%{waiting: %{slots: slots}}), do: slots

  defp current(state), do: state |> slots() |> Slots.version() |> elem(1)

  defp sweep(state) do
    state = %{state | seen: Idle.sweep(slots(state), state.seen)}
    if state.timer == nil and Idle.sweep_again?(slots(state)), do: schedule(state), else: state
  end

  defp schedule(state) do
    case Policy.interval(slots(state).policy) do
      :infinity -> state
      interval -> %{state | timer: Process.send_after(self(), :sweep, interval)}
    end
  end

  defp warm(%{warmer: nil} = state) do
    if Idle.cold?(slots(state)) do
      {:ok, warmer} = Idle.warm(slots(state))
      %{state | warmer: warmer}
    else
      state
    end
  end

  # The helper may have seen already that enough were ready.
  defp warm(state), do: %{state | warm_again?: true}

  @impl true
  def terminate(reason, state) do
    Directory.delete(self())
    Drain.run(state.waiting, reason, state.options.shutdown)
  end

  # A callback for Elixir since 1.17 only; OTP calls it in any case.
  @impl {:format_status, 1} in GenServer.behaviour_info(:callbacks)
  @doc false
  def format_status(status), do: Status.redact(status)
end
