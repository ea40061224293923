defmodule Vitrine.Server.StartTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Server

  import Vitrine.Guests

  alias Vitrine.Server

  defp start!(options) do
    options = Keyword.merge([source: wasm("rust"), host_functions: host_functions()], options)
    start_supervised!({Server, options})
  end

  describe "start_link/1" do
    test "answers with the error of a plugin that cannot be loaded" do
      Process.flag(:trap_exit, true)
      assert {:error, error} = Server.start_link(source: "missing.wasm")
      assert %Vitrine.Error{reason: :file} = error

      assert {:error, %{reason: :timeout}} =
               Server.start_link(source: wat("infinite_start"), timeout: 20)
    end

    test "raises for wrong options" do
      assert_raise ArgumentError, ~r/:source/, fn -> Server.start_link([]) end
      assert_raise ArgumentError, ~r/colour/, fn -> Server.start_link(source: "x", colour: 1) end

      for {option, wrong} <- [
            on_trap: :explode,
            restart: :always,
            shutdown: -1,
            restore_vars: 1,
            restore_vars: {__MODULE__, 1},
            watch: 0,
            scheduler: :fast
          ] do
        assert_raise ArgumentError, ~r/#{inspect(option)}/, fn ->
          Server.start_link([{option, wrong}, {:source, wasm("rust")}])
        end
      end

      for start <- [&Server.start_link/1, &Server.child_spec/1],
          wrong <- [%{source: "x"}, nil, "game.wasm"] do
        assert_raise ArgumentError, ~r/the options to be a keyword list/, fn -> start.(wrong) end
      end

      assert_raise ArgumentError, ~r/restore_vars: true .* :name/, fn ->
        Server.start_link(source: wasm("rust"), restore_vars: true)
      end

      assert_raise ArgumentError, ~r/:watch together with .* file/, fn ->
        Server.start_link(source: "(module)", watch: true)
      end
    end

    test "takes any name" do
      start_supervised!({Registry, keys: :unique, name: __MODULE__.Registry})
      via = {:via, Registry, {__MODULE__.Registry, :a}}

      for name <- [__MODULE__.Local, {:global, __MODULE__}, via] do
        start!(name: name)
        assert Vitrine.call(name, "echo", "hi") == {:ok, "hi"}
      end

      assert Vitrine.call({__MODULE__.Local, node()}, "echo", "hi") == {:ok, "hi"}
    end

    test "runs under a supervisor, which restarts it" do
      pid = start!(name: __MODULE__.Restarted)
      assert Vitrine.call!(__MODULE__.Restarted, "counter") == "1"
      Process.exit(pid, :kill)
      eventually(fn -> Process.whereis(__MODULE__.Restarted) not in [nil, pid] end)
      assert Vitrine.call!(__MODULE__.Restarted, "counter") == "1"
    end
  end

  describe "child_spec/1" do
    test "has the options of a supervisor's child" do
      options = [source: "x", name: A, restart: :transient, shutdown: 10]
      assert %{id: A, restart: :transient, shutdown: 10} = spec = Server.child_spec(options)
      assert spec.start == {Server, :start_link, [options]}
      assert %{id: :b, restart: :permanent} = Server.child_spec(source: "x", name: A, id: :b)
      assert_raise ArgumentError, ~r/:restart/, fn -> Server.child_spec(restart: :never) end
    end
  end

  describe "a server" do
    test "of a DynamicSupervisor, one for each tenant in a Registry" do
      start_supervised!({Registry, keys: :unique, name: __MODULE__.Tenants})
      supervisor = start_supervised!({DynamicSupervisor, []})
      via = &{:via, Registry, {__MODULE__.Tenants, &1}}

      for tenant <- 1..3 do
        child =
          {Server, source: wasm("rust"), host_functions: host_functions(), name: via.(tenant)}

        {:ok, _} = DynamicSupervisor.start_child(supervisor, child)
      end

      for _ <- 1..2, do: Vitrine.call!(via.(2), "counter")
      assert for(tenant <- 1..3, do: Vitrine.call!(via.(tenant), "counter")) == ["1", "3", "1"]
    end

    test "of a PartitionSupervisor, one for each key's partition" do
      child = {Server, source: wasm("rust"), host_functions: host_functions()}
      name = __MODULE__.Partitions
      start_supervised!({PartitionSupervisor, child_spec: child, partitions: 2, name: name})
      via = &{:via, PartitionSupervisor, {name, &1}}
      assert for(key <- [0, 1, 2], do: Vitrine.call!(via.(key), "counter")) == ["1", "1", "2"]
    end

    test "hibernates if asked" do
      server = start!(hibernate_after: 10)
      assert Vitrine.call(server, "echo", "hi") == {:ok, "hi"}

      # The function that hibernates has another name in each version of OTP.
      eventually(fn ->
        {:current_function, {_module, function, _arity}} = Process.info(server, :current_function)
        to_string(function) =~ "hibernate"
      end)

      assert Vitrine.call(server, "echo", "hi") == {:ok, "hi"}
    end
  end

  describe "info/1" do
    @tag :slow
    test "has the state, the queue and the plugin of a server" do
      server = start!(plugin_name: "demo")
      hash = Base.encode16(:crypto.hash(:sha256, File.read!(wasm("rust"))), case: :lower)

      assert %{plugin: "demo", hash: ^hash, version: 1, state: :idle, upgrading: false} =
               Server.info(server)

      # Long enough to be looked at on a machine that has other things to do.
      spawn_link(fn -> Vitrine.call(server, "spin", "", timeout: 2_000) end)
      eventually(fn -> Server.info(server).state == :busy end)
      spawn_link(fn -> Vitrine.call(server, "echo") end)
      eventually(fn -> Server.info(server).queue == 1 end)
      eventually(fn -> match?(%{calls: 2, state: :idle}, Server.info(server)) end)
      assert %{errors: 1, queue: 0, state: :idle, memory_bytes: memory} = Server.info(server)
      assert memory == Vitrine.stats(server).memory_bytes
      assert Server.info(server).uptime_ms >= 200
    end

    test "of a server that is not there is :closed" do
      assert reason(Server.info(:no_such_server)) == :closed
      assert Vitrine.close(:no_such_server) == :ok
    end

    test "raises for a pool or a plugin" do
      for question <- [&Server.info/1, &Server.upgrade(&1, "(module)")],
          wrong <- [new!("(module)"), {:ok, self()}, nil] do
        assert_raise ArgumentError, ~r/expected a server, got: /, fn -> question.(wrong) end
      end
    end
  end
end
