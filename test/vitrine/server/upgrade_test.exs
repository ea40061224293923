defmodule Vitrine.Server.UpgradeTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Server

  # A plugin whose "version" fails with its number, and that can wait for a host function.
  defp version(number, more \\ "") do
    """
    (module
      (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
      (import "extism:host/user" "wait" (func $wait (param i64) (result i64)))
      (func (export "version") (result i32) (i32.const #{number}))
      (func (export "wait") (result i32)
        (drop (call $wait (call $alloc (i64.const 1))))
        (i32.const #{number}))
      #{more})
    """
  end

  defp start!(source, options \\ []) do
    wait = fn _ ->
      receive do
        :go -> ""
      end
    end

    defaults = [source: source, host_functions: %{"wait" => wait}]
    start_supervised!({Server, Keyword.merge(defaults, options)})
  end

  defp version!(server), do: error!(Vitrine.call(server, "version")).code

  describe "upgrade/3" do
    test "puts another version in the place of the one that is there" do
      server = start!(version(1))
      assert version!(server) == 1
      old = Server.info(server)
      assert Server.upgrade(server, version(2)) == :ok
      assert version!(server) == 2
      new = Server.info(server)
      assert {new.version, new.calls, new.errors, new.upgrading} == {2, 2, 2, false}
      assert new.hash != old.hash
    end

    test "carries variables and changes of the configuration over" do
      server = start!(wasm("rust"), host_functions: host_functions(), config: %{"b" => "0"})
      Vitrine.call!(server, "var_set", "a=1")
      :ok = Vitrine.put_config(server, %{"b" => "2"})
      vars = Vitrine.vars(server)
      assert Server.upgrade(server, wasm("c")) == :ok
      assert Server.info(server).plugin == "c"
      assert Vitrine.vars(server) == vars
      assert Vitrine.call!(server, "config_value", "b") == "2"
    end

    test "lets a call that runs end on the old version, and sends those that wait to the new one" do
      server = start!(version(1))
      running = Task.async(fn -> Vitrine.call(server, "wait") end)
      eventually(fn -> Server.info(server).state == :busy end)
      upgrade = Task.async(fn -> Server.upgrade(server, version(2)) end)
      waiting = Task.async(fn -> Vitrine.call(server, "version") end)
      eventually(fn -> match?(%{upgrading: true, queue: 1}, Server.info(server)) end)
      # The new version is loaded, and waits for the call.
      eventually(fn -> match?(%{upgrade: %{plugin: %{}}}, :sys.get_state(server)) end)
      assert Task.yield(upgrade, 100) == nil
      send(running.pid, :go)
      assert error!(Task.await(running, 60_000)).code == 1
      assert error!(Task.await(waiting, 60_000)).code == 2
      assert Task.await(upgrade, 60_000) == :ok
    end

    test "serves calls while the new version is loaded" do
      server = start!(version(1))
      # Its initialiser waits for a host function, in the process that loads.
      test = self()

      slow =
        version(2, "(func $start (drop (call $wait (call $alloc (i64.const 1))))) (start $start)")

      tell = fn _ ->
        send(test, {:loading, self()})

        receive do
          :go -> ""
        end
      end

      upgrade =
        Task.async(fn -> Server.upgrade(server, slow, host_functions: %{"wait" => tell}) end)

      assert_receive {:loading, loader}
      assert version!(server) == 1
      assert reason(Server.upgrade(server, version(3))) == :busy
      send(loader, :go)
      assert Task.await(upgrade, 60_000) == :ok
      assert version!(server) == 2
    end

    test "that fails leaves everything as it was" do
      server = start!(version(1))
      :ok = Vitrine.put_vars(server, %{"a" => String.duplicate("x", 100)})

      for {source, options, reason} <- [
            {"(module (func i32.const))", [], :compile},
            {~s|(module (import "app" "missing" (func)))|, [], :link},
            {wat("trapping_start"), [], :trap},
            {wat("infinite_start"), [timeout: 20], :timeout},
            {"missing.wasm", [], :file},
            {version(2), [memory: [max_var_bytes: 100]], :vars}
          ] do
        assert {source, reason(Server.upgrade(server, source, options))} == {source, reason}
      end

      assert_raise ArgumentError, ~r/colour/, fn ->
        Server.upgrade(server, version(2), colour: 1)
      end

      assert_raise ArgumentError, ~r/the options to be a keyword list/, fn ->
        Server.upgrade(server, version(2), %{timeout: 5})
      end

      assert version!(server) == 1
      assert %{version: 1, upgrading: false} = Server.info(server)
      assert %{"a" => _} = Vitrine.vars(server)
    end

    test "answers also if the process that loads is killed" do
      server = start!(version(1))

      upgrade =
        Task.async(fn -> Server.upgrade(server, wat("infinite_start"), timeout: :infinity) end)

      eventually(fn -> Server.info(server).upgrading end)
      Process.exit(:sys.get_state(server).upgrade.loader, :kill)
      error = error!(Task.await(upgrade, 60_000))
      assert error.reason == :cancelled and error.message =~ "killed"
      assert Server.upgrade(server, version(2)) == :ok
    end

    test "keeps options for the versions that follow" do
      server = start!(version(1))
      assert Server.upgrade(server, version(2), timeout: 20) == :ok
      assert Server.upgrade(server, wat("spin")) == :ok
      assert reason(Vitrine.call(server, "spin")) == :timeout
    end

    test "is undone by a crash, but the variables are kept" do
      name = __MODULE__.Crashes
      server = start!(version(1), name: name, restore_vars: true)
      :ok = Server.upgrade(server, version(2))
      :ok = Vitrine.put_vars(server, %{"a" => "1"})
      Process.exit(server, :kill)
      eventually(fn -> Process.whereis(name) not in [nil, server] end)
      assert {version!(name), Vitrine.vars(name)} == {1, %{"a" => "1"}}
    end

    test "of a server that is not there is :closed" do
      assert reason(Server.upgrade(:no_such_server, version(1))) == :closed
    end
  end
end
