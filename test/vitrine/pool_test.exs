defmodule Vitrine.PoolTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Pool

  import Vitrine.{Guests, PoolHelpers}

  alias Vitrine.Pool

  describe "start_link/1" do
    test "raises for options that are wrong" do
      for {options, message} <- [
            {[source: nil], ~r/the option :source is missing/},
            {[size: 0], ~r/expected :size to be an integer from 1 to 1000000, got: 0/},
            {[overflow: -1], ~r/expected :overflow to be an integer from 0 to 1000000, got: -1/},
            {[max_queue: :none], ~r/:max_queue to be .* from 0 on or :infinity, got: :none/},
            {[max_calls: 0], ~r/:max_calls/},
            {[max_age: 1.5], ~r/:max_age/},
            {[idle_timeout: 0], ~r/:idle_timeout/},
            {[queue_timeout: "1"], ~r/:queue_timeout/},
            {[shutdown: :brutal_kill], ~r/:shutdown/},
            {[min_idle: 3, size: 2],
             ~r/expected :min_idle to be at most :size, which is 2, got: 3/},
            {[partitions: 3, size: 2], ~r/:partitions to be at most :size/},
            {[reset: :yes], ~r/expected :reset to be true or false, got: :yes/},
            {[vars: [a: "b"]], ~r/variables to be a map .*, got: a keyword list/},
            {[vars: %URI{}], ~r/variables to be a map .*, got: a struct/},
            {[vars: %{a: "b"}], ~r/variables/},
            {[on_trap: :keep], ~r/on_trap/},
            {[scheduler: :fast], ~r/:scheduler/},
            {[restart: :sometimes], ~r/expected :restart to be :permanent, :transient/},
            {[max_queu: 1], ~r/unknown option: :max_queu \(did you mean :max_queue\?\)/}
          ] do
        assert_raise ArgumentError, message, fn ->
          Pool.start_link([source: "missing.wasm"] |> Keyword.merge(options))
        end
      end
    end

    test "takes options as a keyword list only" do
      for start <- [&Pool.start_link/1, &Pool.child_spec/1], wrong <- [%{source: "x"}, nil] do
        assert_raise ArgumentError, ~r/the options to be a keyword list/, fn -> start.(wrong) end
      end
    end

    test "answers with the error of a plugin that cannot be loaded" do
      Process.flag(:trap_exit, true)

      for {source, reason} <- [
            {"missing.wasm", :file},
            {"(module", :compile},
            {wat("unknown_import"), :link},
            {wat("trapping_start"), :trap}
          ] do
        assert {:error, %Vitrine.Error{reason: ^reason}} = Pool.start_link(source: source)
      end

      assert {:error, %{reason: :timeout}} =
               Pool.start_link(source: wat("infinite_start"), timeout: 20)

      assert {:error, %{reason: :vars}} =
               Pool.start_link(
                 source: "(module)",
                 vars: %{"a" => "too long"},
                 memory: [max_var_bytes: 3]
               )
    end

    test "takes any name" do
      start_supervised!({Registry, keys: :unique, name: __MODULE__.Registry})
      via = {:via, Registry, {__MODULE__.Registry, :a}}

      for name <- [__MODULE__.Local, {:global, __MODULE__}, via, {__MODULE__.Local, node()}] do
        unless is_tuple(name) and elem(name, 0) == __MODULE__.Local, do: pool!(name: name)
        assert Vitrine.call(name, "echo", "hi") == {:ok, "hi"}
        assert Vitrine.function_exists?(name, "echo")
      end
    end

    test "calls the plugin by the option :plugin_name" do
      assert error!(Vitrine.call(pool!(plugin_name: "tenant 7"), "nope")).plugin == "tenant 7"
      assert error!(Vitrine.call(pool!(), "nope")).plugin == "rust"
    end
  end

  describe "child_spec/1" do
    test "has the name as id, and time for the calls that are to end" do
      assert %{id: :a, shutdown: 6_000} = Pool.child_spec(source: "x", name: :a)
      assert %{id: :b, shutdown: 1_001} = Pool.child_spec(id: :b, name: :a, shutdown: 1)
      assert %{id: Pool, shutdown: :infinity} = Pool.child_spec(shutdown: :infinity)
    end

    test "lets a supervisor restart it" do
      name = __MODULE__.Restarted
      pid = pool!(name: name)
      assert Vitrine.call!(name, "echo", "hi") == "hi"
      Process.exit(pid, :kill)
      eventually(fn -> Process.whereis(name) not in [nil, pid] end)
      eventually(fn -> Vitrine.call(name, "echo", "hi") == {:ok, "hi"} end)
      assert Vitrine.Pool.Slots.find(pid) == nil
    end

    test "works under a DynamicSupervisor and a PartitionSupervisor" do
      child = {Pool, source: "(module (func (export \"run\")))"}
      supervisor = start_supervised!(DynamicSupervisor)
      {:ok, pool} = DynamicSupervisor.start_child(supervisor, child)
      assert Vitrine.call(pool, "run") == {:ok, ""}
      assert DynamicSupervisor.terminate_child(supervisor, pool) == :ok

      start_supervised!({PartitionSupervisor, child_spec: child, name: __MODULE__.Partitions})
      name = {:via, PartitionSupervisor, {__MODULE__.Partitions, self()}}
      assert Vitrine.call(name, "run") == {:ok, ""}
    end
  end

  describe "Vitrine.call/4" do
    test "passes on every error, and the next call works" do
      pool = pool!(size: 1)
      assert reason(Vitrine.call(pool, "fail", "no")) == :guest_error
      assert reason(Vitrine.call(pool, "missing")) == :function_not_found
      assert reason(Vitrine.call(pool, "recurse")) == :trap
      assert reason(Vitrine.call(pool, "spin", "", timeout: 30)) == :timeout
      assert reason(Vitrine.call(pool, "echo", "", timeout: 0)) == :timeout
      assert reason(Vitrine.call(pool, "alloc_forever")) in [:out_of_memory, :trap]
      assert Vitrine.call(pool, "echo", "hi") == {:ok, "hi"}
      assert_raise ArgumentError, fn -> Vitrine.call(pool, "echo", "", colour: 1) end
      assert_raise ArgumentError, fn -> Vitrine.call(pool, "echo", "", timeout: -1) end
      assert_raise Vitrine.Error, fn -> Vitrine.call!(pool, "fail", "no") end
    end

    test "of a pool that is not there is closed" do
      pool = pool!()
      assert Vitrine.close(pool) == :ok
      assert reason(Vitrine.call(pool, "echo")) == :closed
      assert reason(Pool.info(pool)) == :closed
      assert reason(Pool.upgrade(pool, wasm("rust"))) == :closed
    end

    test "runs in the caller, which host functions and their context see" do
      greet = fn _, context -> inspect({self(), Logger.metadata(), context}) end
      pool = pool!(host_functions: %{"greet" => greet, "tick" => & &1})
      Logger.metadata(request: 7)
      expected = inspect({self(), [request: 7], :context})
      assert Vitrine.call(pool, "greet", "", context: :context) == {:ok, expected}
    end

    test "takes codecs" do
      input = %{"name" => "a", "numbers" => [1, 2]}
      assert Vitrine.call!(pool!(), "sum_json", input, as: :json) == %{"name" => "a", "sum" => 3}
    end

    test "gives large inputs and outputs" do
      bytes = :binary.copy("0123456789", 200_000)
      assert Vitrine.call(pool!(), "echo", bytes) == {:ok, bytes}
    end

    test "uses instances again, the same one while it is free" do
      pool = pool!(size: 4)
      assert for(_ <- 1..5, do: Vitrine.call!(pool, "counter")) == ~w(1 2 3 4 5)
      assert %{idle: 1, busy: 0, calls: 5} = Pool.info(pool)
    end

    test "serves callers at the same time, in as many instances as are allowed" do
      pool = pool!(size: 3, host_functions: holding())
      tasks = for name <- ~w(a b c), do: held!(pool, name)
      assert %{busy: 3, idle: 0, waiting: 0} = Pool.info(pool)
      assert Enum.map(tasks, &release/1) == [{:ok, "a"}, {:ok, "b"}, {:ok, "c"}]
      assert %{busy: 0, idle: 3} = Pool.info(pool)
    end

    test "can be made within a host function, as long as there are instances" do
      nested = fn input, pool -> inspect(Vitrine.call(pool, "echo", input)) end
      functions = %{"greet" => nested, "tick" => & &1}
      pool = pool!(size: 2, host_functions: functions)
      assert Vitrine.call(pool, "greet", "x", context: pool) == {:ok, ~s({:ok, "x"})}

      alone = pool!(size: 1, host_functions: functions)
      assert {:ok, answer} = Vitrine.call(alone, "greet", "x", context: alone)
      assert answer =~ "reason: :busy"
      assert Vitrine.call(alone, "echo", "x") == {:ok, "x"}
    end

    test "can be traced, and emits the events of a call" do
      pool = pool!(size: 1)
      {result, events} = Vitrine.trace(pool, "greet", "Joe")
      assert result == {:ok, "hello Joe"}
      assert [%{kind: :host_function, name: "greet"}, %{kind: :call, function: "greet"}] = events
      assert_raise ArgumentError, ~r/:trace/, fn -> Vitrine.call(pool, "echo", "", trace: 1) end
      assert Vitrine.call(pool, "echo", "x") == {:ok, "x"}
    end

    test "refuses values that are not timeouts" do
      pool = pool!(size: 1)

      for timeout <- [nil, false] do
        assert_raise ArgumentError, ~r/:timeout to be milliseconds/, fn ->
          Vitrine.call(pool, "echo", "", timeout: timeout)
        end
      end
    end

    test "leaves no message behind" do
      pool = pool!(size: 1)
      tasks = for _ <- 1..20, do: Task.async(fn -> messages_after(pool) end)
      assert Task.await_many(tasks, 60_000) == List.duplicate(0, 20)
      assert Process.info(pool, :message_queue_len) == {:message_queue_len, 0}
    end
  end

  describe "info/1" do
    test "of a process that is not a pool says so" do
      server = start_supervised!({Vitrine.Server, source: wasm("rust_minimal")})
      message = "expected a pool, got: #{inspect(server)}, which is a server"
      assert_raise ArgumentError, message, fn -> Pool.info(server) end
      pool = pool!([])
      message = "expected a server, got: #{inspect(pool)}, which is a pool"
      assert_raise ArgumentError, message, fn -> Vitrine.Server.info(pool) end
      assert error!(Pool.info(:nobody)).message =~ "the pool :nobody is not running: there is no"

      for wrong <- [guest!("rust_minimal"), {:ok, server}, nil, "pool"] do
        assert_raise ArgumentError, ~r/expected a pool, got: /, fn -> Pool.info(wrong) end
      end
    end
  end

  describe "what applies to one instance" do
    test "raises for a pool" do
      pool = pool!()

      for question <- [
            &Vitrine.vars/1,
            &Vitrine.put_vars(&1, %{}),
            &Vitrine.put_config(&1, %{}),
            &Vitrine.reset/1,
            &Vitrine.cancel/1,
            &Vitrine.take_printed/1,
            &Vitrine.fuel_used/1
          ] do
        assert_raise ArgumentError, ~r/expected a plugin or a server .* the pool/, fn ->
          question.(pool)
        end
      end
    end
  end

  defp messages_after(pool) do
    for timeout <- [1, 5, 1_000], do: Vitrine.call(pool, "echo", "x", timeout: timeout)
    self() |> Process.info(:message_queue_len) |> elem(1)
  end
end
