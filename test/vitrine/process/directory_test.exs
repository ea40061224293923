defmodule Vitrine.Process.DirectoryTest do
  # Not async: the application is stopped and started.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.Process.Directory

  @asking ~S"""
  (module
    (import "extism:host/user" "who" (func $who (param i64) (result i64)))
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (import "extism:host/env" "var_set" (func $set (param i64 i64)))
    (func (export "ask") (local $answer i64)
      (local.set $answer (call $who (call $input)))
      (call $output (local.get $answer) (call $length (local.get $answer))))
    (func (export "keep") (call $set (call $input) (call $input))))
  """

  defp who, do: %{"who" => fn _ -> inspect({self(), Process.get(:whose)}) end}

  defmodule Counter do
    use GenServer
    def init(count), do: {:ok, count}
    def handle_call(:count, _from, count), do: {:reply, count, count}
  end

  defp restart do
    capture_log(fn -> :ok = Application.stop(:vitrine) end)
    :ok = Application.start(:vitrine)
  end

  describe "a process that is neither a server nor a pool" do
    setup do
      start = {GenServer, :start_link, [Counter, 0, [name: __MODULE__.Counter]]}
      counter = start_supervised!(%{id: Counter, start: start})
      agent = start_supervised!({Agent, fn -> 0 end})
      plain = spawn(fn -> Process.sleep(:infinity) end)
      {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
      {:ok, others: [counter, agent, plain, supervisor, __MODULE__.Counter], counter: counter}
    end

    test "is not sent a call, and the caller is told what it is", context do
      works = [
        &Vitrine.call(&1, "run"),
        &Vitrine.call(&1, "run", "", timeout: 100),
        &Vitrine.call(&1, "run", "", as: :json),
        &Vitrine.trace(&1, "run"),
        &Vitrine.stats/1,
        &Vitrine.vars/1,
        &Vitrine.put_vars(&1, %{}),
        &Vitrine.put_config(&1, %{}),
        &Vitrine.functions/1,
        &Vitrine.function_exists?(&1, "run"),
        &Vitrine.cancel/1,
        &Vitrine.reset/1,
        &Vitrine.take_printed/1,
        &Vitrine.fuel_used/1,
        &Vitrine.close/1,
        &Vitrine.Server.info/1,
        &Vitrine.Server.upgrade(&1, "(module)"),
        &Vitrine.Pool.info/1,
        &Vitrine.Pool.upgrade(&1, "(module)"),
        &Vitrine.Pool.stop/1
      ]

      for work <- works, other <- context.others do
        error = assert_raise ArgumentError, fn -> work.(other) end
        assert error.message =~ ~r/^expected a .*(plugin|server|pool), got: .*, which is a /
        assert GenServer.whereis(other) |> Process.alive?()
      end

      assert GenServer.call(context.counter, :count) == 0
    end

    test "is named with its module", %{counter: counter} do
      message = fn process ->
        assert_raise(ArgumentError, fn -> Vitrine.call(process, "run") end).message
      end

      assert message.(counter) ==
               "expected a plugin, a server or a pool, got: #{inspect(counter)}, which is " <>
                 "a process of Vitrine.Process.DirectoryTest.Counter"

      assert message.(__MODULE__.Counter) =~
               "got: Vitrine.Process.DirectoryTest.Counter, which is a process"

      assert message.(spawn(fn -> Process.sleep(:infinity) end)) =~
               "a process that runs a function"
    end

    test "that has ended is closed, as a server is" do
      gone = spawn(fn -> :ok end)
      eventually(fn -> not Process.alive?(gone) end)
      assert reason(Vitrine.call(gone, "run")) == :closed
      assert reason(Vitrine.call(:nobody, "run")) == :closed
    end
  end

  describe "after a restart of the application" do
    test "a pool runs host functions in the caller at once, and is listed again" do
      pool =
        start_supervised!(
          {Vitrine.Pool, source: @asking, host_functions: who(), name: __MODULE__.P}
        )

      Process.put(:whose, :mine)
      mine = {:ok, inspect({self(), :mine})}
      assert Vitrine.call(pool, "ask") == mine
      restart()
      assert Vitrine.call(__MODULE__.P, "ask") == mine
      assert Vitrine.call(pool, "ask") == mine
      assert Vitrine.Pool.info(pool).calls == 3
      assert :ok = Vitrine.Pool.upgrade(pool, @asking)
      assert Vitrine.stats(pool).calls == 3
      # Known without having been called, too.
      restart()
      eventually(fn -> Enum.any?(Vitrine.list(), &(&1.process == pool)) end)
      assert Vitrine.call(pool, "ask") == mine
      stop_supervised!(__MODULE__.P)
      assert reason(Vitrine.call(pool, "ask")) == :closed
    end

    test "a server keeps its calls and its variables" do
      {:ok, supervisor} = Supervisor.start_link([], strategy: :one_for_one)

      spec =
        {Vitrine.Server,
         source: @asking, host_functions: who(), name: __MODULE__.S, restore_vars: true}

      {:ok, server} = Supervisor.start_child(supervisor, spec)
      Process.put(:whose, :mine)
      assert {:ok, _} = Vitrine.call(server, "keep", "kept")
      restart()
      assert Vitrine.call(__MODULE__.S, "ask") == {:ok, inspect({self(), :mine})}
      eventually(fn -> Enum.any?(Vitrine.list(), &(&1.process == server)) end)
      # The variables are held for it again: another one of its name finds them.
      eventually(fn -> :ets.member(Vitrine.Server.VarsKeeper, __MODULE__.S) end)
      Process.exit(server, :kill)
      eventually(fn -> GenServer.whereis(__MODULE__.S) not in [nil, server] end)
      eventually(fn -> Vitrine.vars(__MODULE__.S) == %{"kept" => "kept"} end)
      Supervisor.stop(supervisor)
    end

    test "a call while it is stopped says so" do
      pool = start_supervised!({Vitrine.Pool, source: @asking, host_functions: who()})
      capture_log(fn -> Application.stop(:vitrine) end)

      try do
        assert_raise RuntimeError, ~r/:vitrine is not started/, fn ->
          Vitrine.call(pool, "ask")
        end
      after
        Application.start(:vitrine)
      end

      assert {:ok, _} = Vitrine.call(pool, "ask")
    end

    test "a handler that was attached takes events still" do
      test = self()
      Vitrine.Telemetry.attach(:restart, fn event, _, _ -> send(test, event) end)
      on_exit(fn -> Vitrine.Telemetry.detach(:restart) end)
      restart()
      Vitrine.call(new!("(module)"), "missing")
      assert_received [:vitrine, :call, :stop]
    end

    test "a pool keeps no monitors, however often that happens" do
      pool = start_supervised!({Vitrine.Pool, source: @asking, host_functions: who()})

      for _ <- 1..3 do
        restart()
        assert {:ok, _} = Vitrine.call(pool, "ask")
      end

      assert Process.info(pool, :monitors) == {:monitors, []}
    end

    test "a server that was started meanwhile is known" do
      capture_log(fn -> Application.stop(:vitrine) end)
      server = start_supervised!({Vitrine.Server, source: @asking, host_functions: who()})
      Application.start(:vitrine)
      eventually(fn -> Enum.any?(Vitrine.list(), &(&1.process == server)) end)
    end

    test "a server that was started while the application was ending is known" do
      # The directory's process ends before the table.
      :ok = Supervisor.terminate_child(Vitrine.Supervisor, Directory)
      server = start_supervised!({Vitrine.Server, source: @asking, host_functions: who()})
      assert Directory.lookup(server)
      Directory.delete(server)
      {:ok, _} = Supervisor.restart_child(Vitrine.Supervisor, Directory)
      eventually(fn -> Enum.any?(Vitrine.list(), &(&1.process == server)) end)
    end
  end

  test "a call of a pool that is still starting waits for it, within its timeout, and runs in the caller" do
    test = self()

    slow = fn ->
      if self() != test do
        send(test, {:starting, self()})
        receive do: (:go_on -> :ok)
      end
    end

    source =
      String.replace(
        @asking,
        ~s|(func (export "keep")|,
        ~s|(func (export "_initialize") (call $slow)) (func (export "keep")|
      )
      |> String.replace("(module", ~s|(module (import "extism:host/user" "slow" (func $slow))|)

    functions = [
      Vitrine.HostFunction.new("slow", [], nil, slow),
      Vitrine.HostFunction.new("who", [:binary], :binary, who()["who"])
    ]

    spawn_link(fn ->
      {:ok, _} =
        Vitrine.Pool.start_link(source: source, host_functions: functions, name: __MODULE__.Slow)

      Process.sleep(:infinity)
    end)

    assert_receive {:starting, starting}
    assert reason(Vitrine.call(__MODULE__.Slow, "ask", "", timeout: 20)) == :timeout
    Process.put(:whose, :mine)

    spawn_link(fn ->
      eventually(fn -> Process.info(test, :status) == {:status, :waiting} end)
      send(starting, :go_on)
    end)

    assert Vitrine.call(__MODULE__.Slow, "ask") == {:ok, inspect({self(), :mine})}
  end
end
