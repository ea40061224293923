defmodule Vitrine.ChaosTest do
  # Everything that can go wrong with pools and servers, at the same time and at random. A minute of it:
  # VITRINE_CHAOS_SECONDS=60 mix test test/vitrine/chaos_test.exs
  use ExUnit.Case, async: false

  @moduletag :slow

  import Vitrine.Guests

  alias Vitrine.{Chaos, Pool, Server, Usage}

  @moduletag :capture_log

  @seconds String.to_integer(System.get_env("VITRINE_CHAOS_SECONDS", "12"))
  # MiB of addresses. Memories of instances that are gone are kept for the next, so there may be two for each
  # of the dozen instances that live at once; the hundreds that end meanwhile had 8 GiB each.
  @slack 24 * 4_160
  @callers 6
  @steady 2

  # The contract that every version of the plugin must keep.
  @contract [exports: ["echo"], imports: ["extism:host/user"], abi: 1]

  @small_version ~S"""
  (module
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
    (func (export "echo") (call $output_set (call $input) (call $length))))
  """

  @refused_versions [
    compile: "(module (func (export \"echo\") i32.const))",
    contract: "(module (func (export \"no_echo\")))",
    contract: ~S|(module (import "elsewhere" "f" (func)) (func (export "echo")))|,
    trap: "(module (func $start unreachable) (start $start) (func (export \"echo\")))"
  ]

  @tag timeout: (@seconds + 240) * 1_000
  test "pools and servers survive random failures, and each caller gets the answer to its own call" do
    targets = pools() ++ servers()
    tally = Chaos.tally()
    # The resources in use after a part of the calls are those that must be in use after the rest.
    chaos(targets, tally, @seconds * 250)
    settled(targets)
    before = Usage.least()
    chaos(targets, tally, @seconds * 750)
    settled(targets)
    later = no_more(before)

    assert Chaos.wrongs(tally) == []
    assert Chaos.repeated(tally) == []
    counts = Chaos.counts(tally)
    assert counts.answered > 100 and counts.failed > 50
    # Each of them takes its instance with it.
    assert counts.killed > 50 and counts.killed_in_host > 20

    for what <- [:processes, :ports, :tables],
        do: assert({what, later[what]} == {what, before[what]})

    assert later.addresses - before.addresses < @slack
    assert later.resident - before.resident < 64
    # No guest was forgotten on a scheduler.
    eventually(fn -> Usage.busiest_scheduler() < 0.2 end)
  end

  defp pools do
    large = [size: 5, overflow: 2, max_queue: 12, min_idle: 1]
    limits = [idle_timeout: 200, max_calls: 50, max_age: 700]
    fresh = [size: 2, reset: true, min_idle: 1, queue_timeout: 50]

    [
      %{kind: :pool, callable: pool!(large ++ limits), also: [:pool_full]},
      %{kind: :pool, callable: pool!(fresh), also: [:timeout]}
    ]
  end

  defp pool!(options),
    do: start_supervised!({Pool, options ++ plugin()}, id: make_ref())

  defp servers do
    stopping = [name: __MODULE__.Stopping, on_trap: :stop, restore_vars: true]
    server!(stopping)

    [
      %{kind: :server, callable: server!([]), also: [:cancelled]},
      # Callers find that it is not there, and a call that is in it when it is killed ends.
      %{kind: :server, callable: stopping[:name], also: [:cancelled, :closed]}
    ]
  end

  defp server!(options),
    do: start_supervised!({Server, options ++ plugin()}, id: make_ref())

  defp plugin do
    [
      source: wasm("rust"),
      memory: [max_pages: 256],
      timeout: 60_000,
      requires: @contract,
      host_functions: Chaos.host_functions()
    ]
  end

  defp stops?(target), do: :closed in target.also

  defp chaos(targets, tally, milliseconds) do
    stop_at = System.monotonic_time(:millisecond) + milliseconds

    targets
    |> Enum.flat_map(fn target ->
      callers = List.duplicate(fn -> Chaos.callers(target, stop_at, tally) end, @callers)
      steady = List.duplicate(fn -> Chaos.steady(target, stop_at, tally) end, @steady)

      [
        fn -> upgrades(target, stop_at) end,
        fn -> disturb(target, stop_at) end | callers ++ steady
      ]
    end)
    |> Enum.map(&Task.async/1)
    |> Task.await_many(:infinity)
  end

  # Back and forth, with versions in between that are refused and change nothing.
  defp upgrades(target, stop_at) do
    unless Chaos.over?(stop_at) do
      upgrade(target, @small_version)
      Process.sleep(Enum.random(1..50))
      refused(target, Enum.random(@refused_versions))
      upgrade(target, wasm("rust"))
      Process.sleep(Enum.random(1..300))
      upgrades(target, stop_at)
    end
  end

  defp upgrade(%{kind: :pool, callable: pool}, source),
    do: assert(Pool.upgrade(pool, source) == :ok)

  defp upgrade(%{kind: :server, callable: server} = target, source) do
    case Server.upgrade(server, source) do
      :ok -> :ok
      # It was stopped meanwhile, and begins with the source that it was started with.
      {:error, error} -> assert stops?(target) and error.reason == :closed
    end
  end

  defp refused(%{kind: :pool, callable: pool}, {reason, source}) do
    version = Pool.info(pool).version
    assert reason(Pool.upgrade(pool, source)) == reason
    assert Pool.info(pool).version == version
  end

  defp refused(%{kind: :server, callable: server} = target, {reason, source}) do
    was = Server.info(server)

    case reason(Server.upgrade(server, source)) do
      ^reason -> assert stops?(target) or Server.info(server).version == was.version
      other -> assert stops?(target) and other == :closed
    end
  end

  # Asks what a pool is doing; stops a server's calls, and the server itself if it may stop.
  defp disturb(target, stop_at) do
    unless Chaos.over?(stop_at) do
      Process.sleep(Enum.random(1..40))
      disturb(target)
      disturb(target, stop_at)
    end
  end

  defp disturb(%{kind: :pool, callable: pool}), do: assert(%{size: _} = Pool.info(pool))

  defp disturb(%{callable: server} = target) do
    pid = GenServer.whereis(server)
    if stops?(target) and pid != nil and Enum.random(1..10) == 1, do: Process.exit(pid, :kill)
    Vitrine.cancel(server)
  end

  # A pool with a max_age has at one moment one instance less: that moment may have been `before`.
  defp no_more(before, tries \\ 40) do
    now = Usage.least()

    if tries == 0 or now.addresses - before.addresses < @slack,
      do: now,
      else: no_more(before, tries - 1)
  end

  # All is over, and each has what it is to have while nobody calls.
  defp settled(targets), do: Enum.each(targets, &settle/1)

  defp settle(%{kind: :pool, callable: pool}) do
    eventually(fn -> match?(%{busy: 0, waiting: 0}, Pool.info(pool)) end)
    slots = Pool.Slots.find(pool)
    # It has its size.
    held = for n <- 1..slots.total, do: Task.async(fn -> hold(pool, n) end)
    eventually(fn -> Pool.info(pool).busy == slots.total end)
    for task <- held, do: send(task.pid, :go_on)
    assert Task.await_many(held, :infinity) == for(n <- 1..slots.total, do: {:ok, "#{n}"})

    # Instances that nobody uses go, and it has nothing left to do.
    eventually(fn -> match?(%{idle: 1, busy: 0}, Pool.info(pool)) end)
    assert for(slot <- 1..slots.total, owner = Pool.Slots.owner(slots, slot), do: owner) == []
    %{waiting: waiting} = :sys.get_state(pool)
    assert waiting.watched == %{} and waiting.queue.ids == %{}
    idle!(pool)
  end

  defp settle(%{kind: :server, callable: server}) do
    # The last call of its that was killed may have stopped it.
    eventually(fn -> match?(%{state: :idle, queue: 0}, Server.info(server)) end)
    assert Vitrine.call(server, "echo", "still there") == {:ok, "still there"}
    state = :sys.get_state(server)
    assert {state.lease, state.upgrade, state.failure} == {nil, nil, nil}
    assert Vitrine.Process.Queue.size(state.queue) == 0 and state.queue.ids == %{}
    idle!(GenServer.whereis(server))
  end

  defp hold(pool, n) do
    wait = fn -> receive(do: (:go_on -> :ok)) end
    context = Chaos.context(work: wait)
    Vitrine.call(pool, "greet", "#{n}", context: context, timeout: :infinity)
  end

  defp idle!(pid) do
    eventually(fn ->
      Process.info(pid, [:message_queue_len, :monitors]) == [message_queue_len: 0, monitors: []]
    end)
  end
end
