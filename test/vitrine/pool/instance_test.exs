defmodule Vitrine.Pool.InstanceTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Vitrine.{Guests, PoolHelpers}

  alias Vitrine.Pool

  describe "an instance is dropped" do
    test "after a trap, a timeout, too much memory and a failed host function" do
      functions = %{"greet" => fn _ -> raise "no" end, "tick" => & &1}
      pool = pool!(size: 1, host_functions: functions, vars: %{"a" => "initial"})

      for {function, options} <- [
            {"panic", []},
            {"recurse", []},
            {"spin", [timeout: 20]},
            {"alloc_forever", []},
            {"greet", []}
          ] do
        assert Vitrine.call!(pool, "counter") == "1"
        assert Vitrine.call!(pool, "counter") == "2"
        assert Vitrine.call!(pool, "var_set", "a=dirty") == ""
        assert {:error, _} = Vitrine.call(pool, function, "", options)
        assert Pool.info(pool).idle == 0
        assert Vitrine.call!(pool, "var_get", "a") == "initial"
      end
    end

    test "when its caller is killed in the guest or in a host function" do
      pool = pool!(size: 1, host_functions: holding())
      assert Vitrine.call!(pool, "counter") == "1"
      Process.exit(spinning!(pool), :kill)
      assert Vitrine.call!(pool, "counter") == "1"
      Task.shutdown(held!(pool, "a"), :brutal_kill)
      assert Vitrine.call!(pool, "counter") == "1"
      assert %{idle: 1, busy: 0} = Pool.info(pool)
    end

    test "except after an error that the guest reports" do
      pool = pool!(size: 1)
      assert Vitrine.call!(pool, "counter") == "1"
      assert {:error, _} = Vitrine.call(pool, "fail", "no")
      assert {:error, _} = Vitrine.call(pool, "no_such_function")
      assert Vitrine.call!(pool, "counter") == "2"
    end

    test "after max_calls" do
      pool = pool!(size: 1, max_calls: 3)
      counts = for _ <- 1..7, do: Vitrine.call!(pool, "counter")
      assert counts == ~w(1 2 3 1 2 3 1)
    end

    test "when it is max_age old, whether it is used or not" do
      pool = pool!(size: 1, max_age: 50, idle_timeout: :infinity)
      assert Vitrine.call!(pool, "counter") == "1"
      eventually(fn -> Pool.info(pool).idle == 0 end)
      assert Vitrine.call!(pool, "counter") == "1"
      Process.sleep(60)
      assert Vitrine.call!(pool, "counter") == "1"
    end

    test "after idle_timeout, except min_idle of them" do
      pool = pool!(size: 3, min_idle: 1, idle_timeout: 50, host_functions: holding())
      tasks = for name <- ~w(a b c), do: held!(pool, name)
      assert Pool.info(pool).busy == 3
      Enum.each(tasks, &release/1)
      eventually(fn -> Pool.info(pool).idle == 1 end)
      Process.sleep(150)
      assert Pool.info(pool).idle == 1
      # Nothing is left to be looked at.
      assert :sys.get_state(pool).timer == nil
    end

    @tag :slow
    test "only when it is not used within idle_timeout" do
      pool = pool!(size: 1, idle_timeout: 400)

      # A machine may be so busy that this process does not come back in time.
      Enum.reduce(1..20, {0, now()}, fn _, {count, at} ->
        Process.sleep(50)
        begun = now()
        next = String.to_integer(Vitrine.call!(pool, "counter"))
        if now() - at < 400, do: assert(next == count + 1)
        {next, begun}
      end)
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

  describe "an instance that cannot be made" do
    @source """
    (module
      (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
      (func $start (drop (call $greet (i64.const 0))))
      (start $start)
      (func (export "run"))
      (func (export "trap") unreachable))
    """

    setup do
      {broken, made} = {:atomics.new(1, []), :atomics.new(1, [])}

      greet = fn _ ->
        :atomics.add(made, 1, 1)
        if :atomics.get(broken, 1) == 1, do: raise("broken"), else: ""
      end

      {:ok,
       broken: broken, made: made, options: [source: @source, host_functions: %{"greet" => greet}]}
    end

    test "fails its caller's call, and the next call tries again", context do
      pool = pool!([size: 1] ++ context.options)
      :atomics.put(context.broken, 1, 1)

      for _ <- 1..3 do
        error = error!(Vitrine.call(pool, "run"))
        assert {error.reason, error.function} == {:host_function, "run"}
      end

      assert %{idle: 0, busy: 0, waiting: 0} = Pool.info(pool)
      :atomics.put(context.broken, 1, 0)
      assert Vitrine.call(pool, "run") == {:ok, ""}
    end

    @tag :slow
    test "is not retried for ever for min_idle", context do
      pool = pool!([size: 1, min_idle: 1] ++ context.options)
      eventually(fn -> Pool.info(pool).idle == 1 end)
      :atomics.put(context.broken, 1, 1)
      made = :atomics.get(context.made, 1)

      log =
        capture_log(fn ->
          assert reason(Vitrine.call(pool, "trap")) == :trap
          eventually(fn -> :atomics.get(context.made, 1) > made end)
          eventually(fn -> :sys.get_state(pool).warmer == nil end)
          Process.sleep(1_000)
        end)

      assert :atomics.get(context.made, 1) == made + 1
      assert log =~ "a pool cannot make an instance"
      :atomics.put(context.broken, 1, 0)
      assert Vitrine.call(pool, "run") == {:ok, ""}
    end
  end

  describe "min_idle" do
    test "makes instances ahead, and again when they were dropped" do
      pool = pool!(size: 3, min_idle: 2)
      eventually(fn -> Pool.info(pool).idle == 2 end)
      assert Pool.info(pool).calls == 0
      assert {:error, _} = Vitrine.call(pool, "panic")
      eventually(fn -> Pool.info(pool).idle == 2 end)
    end
  end

  describe "an instance that takes longer to make than it may be idle" do
    test "is dropped when its idle time is over" do
      greet = fn _ ->
        Process.sleep(1_100)
        ""
      end

      pool =
        pool!(source: @source, host_functions: %{"greet" => greet}, size: 1, idle_timeout: 1_000)

      assert Vitrine.call(pool, "run") == {:ok, ""}
      assert Pool.info(pool).idle == 1
      eventually(fn -> Pool.info(pool).idle == 0 end)
    end
  end

  describe "an instance that is wanted while another is made ahead" do
    test "is made as well" do
      test = self()
      held = :atomics.new(1, [])

      greet = fn _ ->
        if :atomics.get(held, 1) == 1 do
          send(test, {:making, self()})
          receive(do: (:go_on -> ""))
        else
          ""
        end
      end

      options = [source: @source, host_functions: %{"greet" => greet}]
      pool = pool!([size: 1, min_idle: 1] ++ options)
      eventually(fn -> Pool.info(pool).idle == 1 end)
      :atomics.put(held, 1, 1)
      assert reason(Vitrine.call(pool, "trap")) == :trap
      assert_receive {:making, helper}

      # The helper sees that enough are ready, then that one is used and dropped: the pool hears of that
      # before it hears of the helper's end.
      :sys.suspend(pool)
      send(pool, :warm)
      monitor = Process.monitor(helper)
      send(helper, :go_on)
      assert_receive {:DOWN, ^monitor, _, _, _}
      slots = Pool.Slots.find(pool)
      slot = Pool.Slots.lease_any(slots, self())
      Pool.Slots.drop(slots, slot)
      Pool.Slots.release(slots, slot)
      :sys.resume(pool)

      assert_receive {:making, helper}
      send(helper, :go_on)
      eventually(fn -> Pool.info(pool).idle == 1 end)
    end
  end

  describe "reset: true" do
    test "gives each call an instance that no other was in" do
      pool = pool!(size: 1, reset: true, vars: %{"a" => "initial"})

      for _ <- 1..3 do
        assert Vitrine.call!(pool, "counter") == "1"
        assert Vitrine.call!(pool, "var_get", "a") == "initial"
        assert Vitrine.call!(pool, "var_set", "a=dirty") == ""
        assert Pool.info(pool).idle == 0
      end
    end

    test "can have it ready ahead" do
      pool = pool!(size: 2, reset: true, min_idle: 1)

      for _ <- 1..3 do
        eventually(fn -> Pool.info(pool).idle >= 1 end)
        assert Vitrine.call!(pool, "counter") == "1"
      end
    end
  end

  describe "vars" do
    test "are each instance's own, and begin as the option says" do
      pool = pool!(size: 2, host_functions: holding(), vars: %{"a" => "1"})
      holder = held!(pool, "holder")
      assert Vitrine.call!(pool, "var_get", "a") == "1"
      assert Vitrine.call!(pool, "var_set", "a=2") == ""
      assert Vitrine.call!(pool, "var_get", "a") == "2"
      other = held!(pool, "other")
      release(holder)
      assert Vitrine.call!(pool, "var_get", "a") == "1"
      release(other)
    end
  end
end
