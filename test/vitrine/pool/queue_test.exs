defmodule Vitrine.Pool.QueueTest do
  use ExUnit.Case, async: true

  import Vitrine.{Guests, PoolHelpers}

  alias Vitrine.Pool

  describe "a pool whose instances are all taken" do
    setup do
      pool = pool!(size: 1, host_functions: holding(), max_queue: 3)
      {:ok, pool: pool, holder: held!(pool, "holder")}
    end

    test "lets callers wait until their deadline", %{pool: pool, holder: holder} do
      error = error!(Vitrine.call(pool, "echo", "", timeout: 20))
      assert {error.reason, error.function, error.plugin} == {:timeout, "echo", "rust"}
      assert error.message =~ "no instance"
      assert Pool.info(pool).waiting == 0
      assert release(holder) == {:ok, "holder"}
      assert Vitrine.call(pool, "echo", "hi") == {:ok, "hi"}
    end

    test "counts the time in the queue towards the timeout", %{pool: pool, holder: holder} do
      spinner = waiting!(pool, "spin", "", timeout: 1_000)
      Process.sleep(300)
      assert release(holder) == {:ok, "holder"}
      error = error!(Task.await(spinner, 60_000))
      assert error.reason == :timeout
      assert [_, waited] = Regex.run(~r/, of which (\d+) ms passed in the queue/, error.message)
      assert String.to_integer(waited) >= 300
    end

    test "serves them in order", %{pool: pool, holder: holder} do
      tasks = for name <- ~w(a b c), do: waiting!(pool, "greet", name, timeout: 60_000)
      assert release(holder) == {:ok, "holder"}

      for {name, task} <- Enum.zip(~w(a b c), tasks) do
        assert_receive {:holding, held, pid}
        assert {held, pid} == {name, task.pid}
        refute_received {:holding, _, _}
        assert release(task) == {:ok, name}
      end
    end

    test "refuses callers when as many wait as may", %{pool: pool, holder: holder} do
      tasks = for n <- 1..3, do: waiting!(pool, "echo", "#{n}")
      error = error!(Vitrine.call(pool, "echo", "4", timeout: :infinity))
      assert {error.reason, error.function} == {:pool_full, "echo"}
      assert error.message =~ "its queue is full; the limit is 3 waiting calls (max_queue: 3)"
      release(holder)
      assert Task.await_many(tasks, 60_000) == for(n <- 1..3, do: {:ok, "#{n}"})
    end

    test "drops callers that die", %{pool: pool, holder: holder} do
      tasks = for n <- 1..3, do: waiting!(pool, "echo", "#{n}")
      Task.shutdown(hd(tasks), :brutal_kill)
      eventually(fn -> Pool.info(pool).waiting == 2 end)
      fourth = waiting!(pool, "echo", "4")
      release(holder)

      assert Task.await_many(tl(tasks) ++ [fourth], 60_000) == [
               {:ok, "2"},
               {:ok, "3"},
               {:ok, "4"}
             ]
    end

    test "gives them the instance of one that is killed", %{pool: pool, holder: holder} do
      task = waiting!(pool, "counter", "")
      Task.shutdown(holder, :brutal_kill)
      assert Task.await(task, 60_000) == {:ok, "1"}
    end

    test "gives them the instance of one that lives on, and forgets both",
         %{pool: pool} = context do
      release(context.holder)
      test = self()

      holder =
        spawn_link(fn ->
          send(test, {:first, Vitrine.call(pool, "greet", "first")})
          Process.sleep(:infinity)
        end)

      assert_receive {:holding, "first", ^holder}
      second = spawn_link(fn -> live_on(test, pool, "second") end)
      eventually(fn -> Pool.info(pool).waiting == 1 end)
      assert Process.info(pool, :monitors) |> elem(1) |> Enum.sort() == monitors([holder, second])
      send(holder, :go_on)
      assert_receive {:first, {:ok, "first"}}
      assert_receive {:holding, "second", ^second}
      # Nobody waits any more.
      assert %{waiting: 0, busy: 1} = Pool.info(pool)
      eventually(fn -> Process.info(pool, :monitors) == {:monitors, []} end)
      send(second, :go_on)
      assert_receive {:done, {:ok, "second"}}
    end

    test "lets nobody overtake them", %{pool: pool, holder: holder} do
      first = waiting!(pool, "greet", "first")
      # The slot is free now, and the pool does not know yet.
      :sys.suspend(pool)
      assert release(holder) == {:ok, "holder"}
      second = Task.async(fn -> Vitrine.call(pool, "greet", "second") end)
      refute_receive {:holding, _, _}, 50
      :sys.resume(pool)
      assert_receive {:holding, "first", _}
      refute_receive {:holding, _, _}, 50
      assert release(first) == {:ok, "first"}
      assert_receive {:holding, "second", _}
      assert release(second) == {:ok, "second"}
    end

    test "ignores unknown messages", %{pool: pool, holder: holder} do
      task = waiting!(pool, "echo", "x")
      send(pool, {:free, 1})
      send(pool, {:expired, 77})
      send(pool, {:DOWN, make_ref(), :process, self(), :normal})
      send(pool, :nonsense)
      refute Task.yield(task, 50)
      release(holder)
      assert Task.await(task, 60_000) == {:ok, "x"}
    end
  end

  describe "max_queue: 0" do
    test "refuses callers at once when all instances are taken" do
      pool = pool!(size: 1, max_queue: 0)
      assert Vitrine.call(pool, "echo", "x") == {:ok, "x"}
      spinner = spinning!(pool)
      assert reason(Vitrine.call(pool, "echo", "", timeout: :infinity)) == :pool_full
      Process.exit(spinner, :kill)
      eventually(fn -> not Process.alive?(spinner) end)
      assert Vitrine.call(pool, "echo", "x") == {:ok, "x"}
    end
  end

  describe "queue_timeout" do
    @tag :slow
    test "ends the wait, but not the call" do
      pool = pool!(size: 1, queue_timeout: 2_000, host_functions: holding())
      holder = held!(pool, "holder")
      assert reason(Vitrine.call(pool, "echo", "", timeout: :infinity)) == :timeout
      task = waiting!(pool, "greet", "slow", timeout: 60_000)
      release(holder)
      assert_receive {:holding, "slow", _}
      Process.sleep(2_200)
      assert release(task) == {:ok, "slow"}
    end
  end

  describe "overflow" do
    test "allows more instances, which do not stay" do
      pool = pool!(size: 1, overflow: 2, max_queue: 0, host_functions: holding())
      tasks = for name <- ~w(a b c), do: held!(pool, name)
      assert reason(Vitrine.call(pool, "echo", "")) == :pool_full
      assert Enum.map(tasks, &release/1) == [{:ok, "a"}, {:ok, "b"}, {:ok, "c"}]
      assert %{size: 1, overflow: 2, idle: 1, busy: 0} = Pool.info(pool)
    end
  end

  defp live_on(test, pool, name) do
    send(test, {:done, Vitrine.call(pool, "greet", name)})
    Process.sleep(:infinity)
  end

  defp monitors(pids), do: pids |> Enum.map(&{:process, &1}) |> Enum.sort()
end
