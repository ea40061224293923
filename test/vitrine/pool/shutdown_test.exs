defmodule Vitrine.Pool.ShutdownTest do
  use ExUnit.Case, async: true

  import Vitrine.{Guests, PoolHelpers}

  alias Vitrine.Pool

  @moduletag :capture_log

  # A pool that the test stops itself.
  defp start!(options) do
    defaults = [source: wasm("rust"), host_functions: holding(), size: 1]
    {:ok, pool} = Pool.start_link(Keyword.merge(defaults, options))
    pool
  end

  defp stopping!(pool) do
    task = Task.async(fn -> Pool.stop(pool) end)
    eventually(fn -> match?({:error, _}, Pool.info(pool)) end)
    task
  end

  describe "stop/1" do
    test "lets calls in flight and in the queue end, but no new ones begin" do
      pool = start!(shutdown: 10_000)
      holder = held!(pool, "holder")
      queued = waiting!(pool, "greet", "queued")
      stopping = stopping!(pool)
      assert reason(Vitrine.call(pool, "echo", "new")) == :closed
      assert release(holder) == {:ok, "holder"}
      assert_receive {:holding, "queued", _}
      refute Task.yield(stopping, 30)
      assert release(queued) == {:ok, "queued"}
      assert Task.await(stopping, 60_000) == :ok
      refute Process.alive?(pool)
    end

    test "waits for calls, and a pool that crashes does not" do
      Process.flag(:trap_exit, true)
      pool = start!(shutdown: :infinity)
      holder = held!(pool, "holder")
      Process.exit(pool, :a_crash)
      assert_receive {:EXIT, ^pool, :a_crash}
      assert reason(release(holder)) == :cancelled
    end

    test "stops a pool, and neither the normal end of a linked process nor a stray message does" do
      pool = start!([])
      Task.await(Task.async(fn -> Process.link(pool) end), 60_000)
      for message <- [{:free, 99}, {:account, 1}, :hello], do: send(pool, message)
      GenServer.cast(pool, :hello)

      assert_raise ArgumentError, ~r/expected a plugin or a server for {}/, fn ->
        Vitrine.Process.Client.ask(pool, {})
      end

      assert Vitrine.call(pool, "echo", "hi") == {:ok, "hi"}
      Pool.stop(pool)
    end

    test "cancels calls that do not end in time" do
      pool = start!(shutdown: 50, size: 2)
      spinner = Task.async(fn -> Vitrine.call(pool, "spin", "", timeout: :infinity) end)
      eventually(fn -> Pool.info(pool).busy == 1 end)
      holder = held!(pool, "holder")
      queued = waiting!(pool, "echo", "x")
      assert Pool.stop(pool) == :ok
      assert reason(Task.await(spinner, 60_000)) == :cancelled
      assert reason(Task.await(queued, 60_000)) == :closed
      assert reason(release(holder)) == :cancelled
    end

    test "does not wait for callers that are dead" do
      pool = start!(shutdown: :infinity, size: 2)
      holder = held!(pool, "holder")
      Process.exit(spinning!(pool), :kill)
      stopping = stopping!(pool)
      Task.shutdown(holder, :brutal_kill)
      assert Task.await(stopping, 60_000) == :ok
    end

    test "of a pool that is not there does nothing" do
      assert Pool.stop(:nobody) == :ok
      pool = start!([])
      assert Pool.stop(pool) == :ok
      assert Pool.stop(pool) == :ok
      assert_raise ArgumentError, ~r/expected a pool/, fn -> Pool.stop(nil) end
    end

    test "of a pool without calls is immediate" do
      pool = start!(shutdown: :infinity)
      assert Vitrine.call(pool, "echo", "x") == {:ok, "x"}
      assert Pool.stop(pool) == :ok
    end
  end

  describe "a supervisor" do
    test "lets calls end" do
      child = {Pool, source: wasm("rust"), host_functions: holding(), size: 1}
      {:ok, supervisor} = Supervisor.start_link([child], strategy: :one_for_one)
      [{_, pool, _, _}] = Supervisor.which_children(supervisor)
      holder = held!(pool, "holder")
      stopping = Task.async(fn -> Supervisor.stop(supervisor) end)
      eventually(fn -> match?({:error, _}, Pool.info(pool)) end)
      assert release(holder) == {:ok, "holder"}
      assert Task.await(stopping, 60_000) == :ok
    end
  end

  describe "a pool that is killed" do
    test "does not end a running call" do
      Process.flag(:trap_exit, true)
      pool = start!([])
      holder = held!(pool, "holder")
      queued = waiting!(pool, "echo", "x")
      Process.exit(pool, :kill)
      assert reason(Task.await(queued, 60_000)) == :closed
      assert release(holder) == {:ok, "holder"}
      assert reason(Vitrine.call(pool, "echo", "x")) == :closed
      eventually(fn -> Pool.Slots.find(pool) == nil end)
    end
  end
end
