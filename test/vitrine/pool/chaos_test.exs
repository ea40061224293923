defmodule Vitrine.Pool.ChaosTest do
  # Everything that can go wrong, at the same time and at random. A longer run:
  # VITRINE_CHAOS_SECONDS=60 mix test test/vitrine/pool/chaos_test.exs
  use ExUnit.Case

  import Vitrine.{Guests, PoolHelpers}

  alias Vitrine.Pool

  @seconds String.to_integer(System.get_env("VITRINE_CHAOS_SECONDS", "10"))
  @callers 24
  @steady 4
  @size 5
  @overflow 2

  @tag timeout: (@seconds + 60) * 1_000
  test "a pool stays whole, and everybody gets his own answer" do
    processes = length(Process.list())

    # Says the token back after a while, in which its caller may be killed.
    greet = fn token, context ->
      Process.sleep(if context == :slow, do: 1_000, else: Enum.random([0, 0, 1, 5]))
      token
    end

    pool =
      pool!(
        size: @size,
        overflow: @overflow,
        max_queue: 12,
        min_idle: 1,
        idle_timeout: 200,
        max_calls: 50,
        max_age: 700,
        memory: [max_pages: 256],
        host_functions: %{"greet" => greet, "tick" => & &1}
      )

    stop_at = System.monotonic_time(:millisecond) + @seconds * 1_000
    tally = :counters.new(4, [])
    upgrader = Task.async(fn -> upgrade(pool, stop_at) end)
    steady = for _ <- 1..@steady, do: Task.async(fn -> steady(pool, stop_at, tally) end)
    callers = for _ <- 1..@callers, do: Task.async(fn -> supervise(pool, stop_at, tally) end)
    Task.await_many([upgrader | steady ++ callers], :infinity)

    [answered, failed, killed, wrong] = for n <- 1..4, do: :counters.get(tally, n)
    assert wrong == 0
    assert answered > 100 and failed > 50 and killed > 50

    # It has its size, and serves.
    eventually(fn -> match?(%{busy: 0, waiting: 0}, Pool.info(pool)) end)
    gate = for n <- 1..(@size + @overflow), do: Task.async(fn -> slow(pool, n) end)
    eventually(fn -> Pool.info(pool).busy == @size + @overflow end)
    assert Task.await_many(gate) == for(n <- 1..(@size + @overflow), do: {:ok, "#{n}"})

    # Instances that nobody uses go, and the pool has nothing left to do.
    eventually(fn -> match?(%{idle: 1, busy: 0}, Pool.info(pool)) end)
    eventually(fn -> length(Process.list()) <= processes + 2 end)
    state = :sys.get_state(pool)
    assert state.waiting.watched == %{} and state.waiting.queue.ids == %{}
    assert Process.info(pool, :message_queue_len) == {:message_queue_len, 0}
    assert Process.info(pool, :monitors) == {:monitors, []}
    assert leases(pool) == []
    # Nothing runs any more: no guest was forgotten on a scheduler.
    eventually(fn -> busiest_dirty_scheduler() < 0.5 end)
  end

  defp slow(pool, n), do: Vitrine.call(pool, "greet", "#{n}", context: :slow, timeout: 30_000)

  defp leases(pool) do
    slots = Pool.Directory.find(pool)
    for slot <- 1..slots.total, owner = Pool.Slots.owner(slots, slot), do: owner
  end

  # A process that lives, and calls again and again: nothing may keep it waiting for ever.
  defp steady(pool, stop_at, tally) do
    if System.monotonic_time(:millisecond) < stop_at do
      token = inspect(make_ref())
      result = Vitrine.call(pool, "echo", token, timeout: 10_000)
      count(tally, :echo, token, [result])
      steady(pool, stop_at, tally)
    else
      refute_received _
    end
  end

  # Makes callers one after the other, and kills some of them.
  defp supervise(pool, stop_at, tally) do
    if System.monotonic_time(:millisecond) < stop_at do
      me = self()
      token = inspect(make_ref())
      kind = Enum.random(~w(echo echo greet greet panic spin alloc_forever fail recurse missing)a)
      {pid, monitor} = spawn_monitor(fn -> send(me, {token, call(pool, kind, token)}) end)
      if Enum.random(1..4) == 1, do: Process.sleep(Enum.random(0..8)) && Process.exit(pid, :kill)

      receive do
        {:DOWN, ^monitor, _, _, _} -> :ok
      end

      count(tally, kind, token, results(token))
      supervise(pool, stop_at, tally)
    end
  end

  defp call(pool, kind, token) do
    timeout = if kind == :spin, do: Enum.random(1..30), else: 10_000
    Vitrine.call(pool, Atom.to_string(kind), token, timeout: timeout)
  end

  defp results(token) do
    receive do
      {^token, result} -> [result | results(token)]
    after
      0 -> []
    end
  end

  defp count(tally, kind, token, results) do
    case {kind, results} do
      {_, []} ->
        :counters.add(tally, 3, 1)

      {kind, [{:ok, ^token}]} when kind in [:echo, :greet] ->
        :counters.add(tally, 1, 1)

      {kind, [{:error, error}]} ->
        :counters.add(tally, if(right?(kind, error), do: 2, else: 4), 1)

      _other ->
        :counters.add(tally, 4, 1)
    end
  end

  defp right?(_kind, %{reason: :pool_full}), do: true
  # The other version has none of these functions but echo.
  defp right?(kind, %{reason: :function_not_found}), do: kind not in [:echo]
  defp right?(:panic, %{reason: :trap}), do: true
  defp right?(:recurse, %{reason: :trap}), do: true
  defp right?(:spin, %{reason: :timeout}), do: true
  defp right?(:alloc_forever, %{reason: reason}), do: reason in [:out_of_memory, :trap, :timeout]
  defp right?(:fail, %{reason: :guest_error}), do: true
  defp right?(_kind, _error), do: false

  @echo ~S"""
  (module
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
    (func (export "echo") (call $output_set (call $input) (call $length))))
  """

  # Ends on the version that has all functions.
  defp upgrade(pool, stop_at) do
    assert Pool.upgrade(pool, @echo) == :ok
    Process.sleep(Enum.random(1..50))
    assert reason(Pool.upgrade(pool, wat("trapping_start"))) == :trap
    assert Pool.upgrade(pool, wasm("rust")) == :ok
    Process.sleep(Enum.random(1..300))
    if System.monotonic_time(:millisecond) < stop_at, do: upgrade(pool, stop_at)
  end

  defp busiest_dirty_scheduler do
    :erlang.system_flag(:scheduler_wall_time, true)
    before = :erlang.statistics(:scheduler_wall_time_all)
    Process.sleep(100)
    shares = for {{_, a, t}, {_, b, u}} <- zip(before), do: (b - a) / max(u - t, 1)
    :erlang.system_flag(:scheduler_wall_time, false)
    Enum.max(shares)
  end

  defp zip(before) do
    Enum.zip(Enum.sort(before), Enum.sort(:erlang.statistics(:scheduler_wall_time_all)))
  end
end
