defmodule Vitrine.Server.VarsTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.Server

  @moduletag :capture_log

  # A store that stands for a database.
  defmodule Store do
    @behaviour Vitrine.Server.Store

    def start_link,
      do: Agent.start_link(fn -> %{vars: nil, saves: 0, broken?: false, answer: :ok} end)

    def set(store, changes), do: Agent.update(store, &Map.merge(&1, changes))
    def get(store), do: Agent.get(store, & &1)

    @impl true
    def load(store), do: Agent.get(store, & &1.vars)

    @impl true
    def save(store, vars) do
      if get(store).broken?, do: raise("the store is broken")
      Agent.update(store, &%{&1 | vars: vars, saves: &1.saves + 1})
      get(store).answer
    end
  end

  # One that takes as long as the test wants.
  defmodule SlowStore do
    @behaviour Vitrine.Server.Store

    @impl true
    def load(_test), do: nil

    @impl true
    def save(test, vars) do
      send(test, {:saving, self(), vars})
      receive do: (:go -> :ok)
    end
  end

  # Variables are set by var_set, globals are lost with the instance.
  defp start!(name, options) do
    options = [source: wasm("rust"), host_functions: host_functions(), name: name] ++ options
    start_supervised!({Server, options})
  end

  defp kill_keeper do
    keeper = Process.whereis(Server.VarsKeeper)
    Process.exit(keeper, :kill)
    restarted!(Server.VarsKeeper, keeper)
  end

  defp restarted!(name, old), do: eventually(fn -> Process.whereis(name) not in [nil, old] end)

  describe "restore_vars: true" do
    test "keeps variables over a kill, as the last call left them" do
      name = __MODULE__.Killed
      server = start!(name, restore_vars: true)
      assert Vitrine.call!(name, "var_set", "a=1") == ""
      kept = Vitrine.vars(name)
      assert map_size(kept) > 0
      Process.exit(server, :kill)
      restarted!(name, server)
      assert Vitrine.vars(name) == kept
      # And once more.
      server = Process.whereis(name)
      Process.exit(server, :kill)
      restarted!(name, server)
      assert Vitrine.vars(name) == kept
    end

    test "keeps variables over a stop by a trap and a supervisor's shutdown" do
      name = __MODULE__.Stopped
      server = start!(name, restore_vars: true, on_trap: :stop)
      :ok = Vitrine.put_vars(name, %{"a" => "1"})
      assert reason(Vitrine.call(name, "recurse")) == :trap
      restarted!(name, server)
      assert Vitrine.vars(name) == %{"a" => "1"}
      :ok = stop_supervised(name)
      start!(name, restore_vars: true)
      assert Vitrine.vars(name) == %{"a" => "1"}
    end

    test "forgets the variables of a server that is closed" do
      name = __MODULE__.Closed
      server = start!(name, restore_vars: true)
      :ok = Vitrine.put_vars(name, %{"a" => "1"})
      Vitrine.close(name)
      restarted!(name, server)
      assert Vitrine.vars(name) == %{}
    end

    test "stops a call of the server that was killed" do
      name = __MODULE__.InCall
      server = start!(name, restore_vars: true)
      call = Task.async(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> Server.info(server).state == :busy end)
      Process.exit(server, :kill)
      assert reason(Task.await(call, 60_000)) == :cancelled
    end

    test "keeps variables over a server that cannot take them" do
      name = __MODULE__.TooLarge
      Process.flag(:trap_exit, true)
      options = [source: wasm("rust"), host_functions: host_functions(), name: name]
      options = [restore_vars: true] ++ options
      small = [memory: [max_var_bytes: 100]] ++ options
      {:ok, server} = Server.start_link(options)
      vars = %{"board" => String.duplicate("x", 500)}
      :ok = Vitrine.put_vars(server, vars)
      Process.exit(server, :kill)
      assert_receive {:EXIT, ^server, :killed}
      for _ <- 1..2, do: assert({:error, %{reason: :vars}} = Server.start_link(small))
      {:ok, server} = Server.start_link(options)
      assert Vitrine.vars(server) == vars
    end

    test "keeps variables if the keeper ends, before or after the server" do
      name = __MODULE__.Kept
      server = start!(name, restore_vars: true)
      :ok = Vitrine.put_vars(name, %{"a" => "1"})

      for end_keeper <- [:before, :after] do
        server = Process.whereis(name)
        if end_keeper == :before, do: kill_keeper()
        Process.exit(server, :kill)
        if end_keeper == :after, do: kill_keeper()
        restarted!(name, server)
        assert Vitrine.vars(name) == %{"a" => "1"}
      end

      refute Process.whereis(name) == server
    end

    test "refuses a second server of the same name" do
      start!(__MODULE__.One, restore_vars: true)
      assert {:error, :taken} = Server.VarsKeeper.claim(__MODULE__.One, make_ref())
    end
  end

  describe "restore_vars: {module, argument}" do
    setup do
      {:ok, store} = Store.start_link()
      {:ok, store: store}
    end

    test "loads when the server starts, and saves what a call changed", %{store: store} do
      Store.set(store, %{vars: %{"old" => "1"}})
      name = __MODULE__.Stored
      server = start!(name, restore_vars: {Store, store})
      assert Vitrine.vars(name) == %{"old" => "1"}
      Vitrine.call!(name, "var_set", "a=1")
      vars = Vitrine.vars(name)
      assert %{"old" => "1"} = vars
      assert %{vars: ^vars, saves: 1} = Store.get(store)
      Process.exit(server, :kill)
      restarted!(name, server)
      assert Vitrine.vars(name) == vars
    end

    test "saves nothing when nothing has changed", %{store: store} do
      name = __MODULE__.Unchanged
      start!(name, restore_vars: {Store, store})
      for _ <- 1..3, do: Vitrine.call!(name, "echo", "hi")
      Vitrine.call(name, "recurse")
      Vitrine.close(name)
      assert Store.get(store).saves == 0
    end

    test "saves what put_vars/2 changed", %{store: store} do
      name = __MODULE__.Put
      start!(name, restore_vars: {Store, store})
      :ok = Vitrine.put_vars(name, %{"a" => "1"})
      eventually(fn -> Store.get(store).vars == %{"a" => "1"} end)
    end

    for {what, options} <- [{"in the server", []}, {"in the client", [scheduler: :dirty]}] do
      test "has saved what a call changed #{what} when its caller hears of it" do
        name = :"#{__MODULE__}.#{unquote(what)}"
        start!(name, [restore_vars: {SlowStore, self()}] ++ unquote(options))
        call = Task.async(fn -> Vitrine.call!(name, "var_set", "a=1") end)
        assert_receive {:saving, server, vars}
        assert map_size(vars) > 0
        assert Task.yield(call, 50) == nil
        send(server, :go)
        assert Task.await(call, 60_000) == ""
      end
    end

    test "has saved what put_vars/2 changed when its caller hears of it" do
      name = __MODULE__.PutSlowly
      start!(name, restore_vars: {SlowStore, self()})
      put = Task.async(fn -> Vitrine.put_vars(name, %{"a" => "1"}) end)
      assert_receive {:saving, server, %{"a" => "1"}}
      assert Task.yield(put, 50) == nil
      send(server, :go)
      assert Task.await(put, 60_000) == :ok
    end

    test "leaves no caller waiting if the server ends before it has saved" do
      name = __MODULE__.Ended
      server = start!(name, restore_vars: {SlowStore, self()}, scheduler: :dirty)
      call = Task.async(fn -> Vitrine.call(name, "var_set", "a=1") end)
      assert_receive {:saving, ^server, _vars}
      Process.exit(server, :kill)
      assert Task.await(call, 60_000) == {:ok, ""}
    end

    test "goes on when saving fails, and tries again", %{store: store} do
      name = __MODULE__.Broken
      start!(name, restore_vars: {Store, store})
      Store.set(store, %{broken?: true})

      log =
        capture_log(fn ->
          :ok = Vitrine.put_vars(name, %{"a" => "1"})
          assert Vitrine.call(name, "echo", "hi") == {:ok, "hi"}
          Server.info(name)
        end)

      assert log =~ "the store is broken"
      Store.set(store, %{broken?: false})
      assert Vitrine.call(name, "echo", "hi") == {:ok, "hi"}
      eventually(fn -> Store.get(store).vars == %{"a" => "1"} end)
    end

    test "tries again after an answer that is not :ok", %{store: store} do
      name = __MODULE__.Refused
      start!(name, restore_vars: {Store, store})
      Store.set(store, %{answer: {:error, :down}})

      log = capture_log(fn -> :ok = Vitrine.put_vars(name, %{"a" => "1"}) end)
      assert log =~ "save/2 must return :ok or {:ok, term}, returned: {:error, :down}"
      Store.set(store, %{answer: :ok, vars: nil})
      assert Vitrine.call(name, "echo", "hi") == {:ok, "hi"}
      assert Store.get(store).vars == %{"a" => "1"}
    end

    test "does not start with a value that is not a map", %{store: store} do
      Process.flag(:trap_exit, true)
      Store.set(store, %{vars: {:ok, %{}}})
      options = [source: "(module)", restore_vars: {Store, store}]
      assert {:error, {%ArgumentError{message: message}, _}} = Server.start_link(options)
      assert message =~ "Store.load/1 to give a map of variables or nil, got: {:ok, %{}}"
    end

    test "does not start with variables beyond the limit", %{store: store} do
      Process.flag(:trap_exit, true)
      Store.set(store, %{vars: %{"a" => String.duplicate("x", 100)}})

      assert {:error, %{reason: :vars}} =
               Server.start_link(
                 source: "(module)",
                 memory: [max_var_bytes: 100],
                 restore_vars: {Store, store}
               )
    end
  end
end
