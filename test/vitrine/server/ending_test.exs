defmodule Vitrine.Server.EndingTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.{Error, Server}

  @moduletag :capture_log

  defp start!(options \\ []) do
    options = Keyword.merge([source: wasm("rust"), host_functions: host_functions()], options)
    start_supervised!({Server, [restart: :temporary] ++ options})
  end

  defp busy!(server, function, input \\ "", options \\ [timeout: :infinity]) do
    task = Task.async(fn -> Vitrine.call(server, function, input, options) end)
    eventually(fn -> Server.info(server).state == :busy end)
    task
  end

  describe "on_trap: :stop" do
    test "stops the server with the error, so that its supervisor decides" do
      server = start!(on_trap: :stop)
      monitor = Process.monitor(server)
      {:error, error} = Vitrine.call(server, "recurse")
      assert_receive {:DOWN, ^monitor, :process, _, {^error, _stacktrace}}
      assert %Error{reason: :trap, function: "recurse"} = error
    end

    test "stops the server also if the call was handed over, and says why in the log" do
      log =
        capture_log(fn ->
          server = start!(on_trap: :stop, host_functions: %{"greet" => fn _ -> raise "no" end})
          monitor = Process.monitor(server)
          assert reason(Vitrine.call(server, "greet")) == :host_function
          assert_receive {:DOWN, ^monitor, _, _, {%Error{reason: :host_function}, _}}
        end)

      assert log =~ "(Vitrine.Error)" and log =~ ~s(function "greet")
    end

    test "is restarted by its supervisor" do
      name = __MODULE__.Restarted

      options = [
        source: wasm("rust"),
        host_functions: host_functions(),
        name: name,
        on_trap: :stop
      ]

      server = start_supervised!({Server, [restart: :transient] ++ options})
      assert Vitrine.call!(name, "counter") == "1"
      assert reason(Vitrine.call(name, "recurse")) == :trap
      eventually(fn -> Process.whereis(name) not in [nil, server] end)
      assert Vitrine.call!(name, "counter") == "1"
    end

    test "does not stop the server if it is not the plugin that failed" do
      server = start!(on_trap: :stop)
      assert reason(Vitrine.call(server, "fail", "no")) == :guest_error
      assert reason(Vitrine.call(server, "missing")) == :function_not_found
      assert reason(Vitrine.call(server, "spin", "", timeout: 20)) == :timeout
      spinner = busy!(server, "spin")
      Vitrine.cancel(server)
      assert reason(Task.await(spinner, 60_000)) == :cancelled
      spinner = spawn(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> Server.info(server).state == :busy end)
      Process.exit(spinner, :kill)
      assert Vitrine.call(server, "echo", "hi", timeout: 5_000) == {:ok, "hi"}
    end

    test "answers callers that wait" do
      server =
        start!(on_trap: :stop, host_functions: %{"greet" => fn _ -> receive(do: (:go -> 1)) end})

      failing = busy!(server, "greet")
      waiting = Task.async(fn -> Vitrine.call(server, "echo") end)
      eventually(fn -> Server.info(server).queue == 1 end)
      send(failing.pid, :go)
      assert reason(Task.await(failing, 60_000)) == :host_function
      assert reason(Task.await(waiting, 60_000)) == :closed
    end
  end

  describe "on_trap: :reset and :keep" do
    test "do what they do for a plugin" do
      for {on_trap, count} <- [reset: "1", keep: "2"] do
        options = [source: wasm("rust"), host_functions: host_functions(), on_trap: on_trap]
        server = start_supervised!(Supervisor.child_spec({Server, options}, id: on_trap))
        assert Vitrine.call!(server, "counter") == "1"
        assert reason(Vitrine.call(server, "recurse")) == :trap
        assert Vitrine.call!(server, "counter") == count
      end
    end
  end

  describe "a supervisor's shutdown" do
    test "lets a running call end, and refuses others" do
      server = start!(host_functions: %{"greet" => fn _ -> receive(do: (:go -> "done")) end})
      monitor = Process.monitor(server)
      running = busy!(server, "greet")
      waiting = Task.async(fn -> Vitrine.call(server, "echo") end)
      eventually(fn -> Server.info(server).queue == 1 end)

      # Once those that wait know that the server stops, and others cannot call it, the running call may end.
      late =
        Task.async(fn ->
          eventually(fn -> not Process.alive?(waiting.pid) end)
          result = Vitrine.call(server, "echo")
          send(running.pid, :go)
          result
        end)

      assert stop_supervised(Server) == :ok
      assert Task.await(running, 60_000) == {:ok, "done"}
      for task <- [waiting, late], do: assert(reason(Task.await(task, 60_000)) == :closed)
      assert_received {:DOWN, ^monitor, _, _, :shutdown}
    end

    test "ends a call that does not end in time" do
      server = start!(shutdown: 100)
      running = busy!(server, "spin")
      {time, :ok} = :timer.tc(fn -> stop_supervised(Server) end)
      assert reason(Task.await(running, 60_000)) == :cancelled
      # It was given some of that time.
      assert time >= 40_000
      refute Process.alive?(server)
    end

    test "does not wait for a caller that dies" do
      server = start!(shutdown: 60_000)
      caller = spawn(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> Server.info(server).state == :busy end)
      {:ok, _} = :timer.kill_after(50, caller)
      assert stop_supervised(Server) == :ok
    end
  end

  describe "a server that is killed" do
    test "ends the call that it handed over, in the guest" do
      server = start!()
      running = busy!(server, "spin")
      Process.exit(server, :kill)
      assert reason(Task.await(running, 60_000)) == :cancelled
    end

    test "ends one that waits for a host function, when that is done" do
      server = start!(host_functions: %{"greet" => fn _ -> receive(do: (:go -> "hello")) end})
      plugin = :sys.get_state(server).plugin
      running = busy!(server, "greet")
      Process.exit(server, :kill)
      eventually(fn -> reason(Vitrine.reset(plugin)) == :closed end)
      send(running.pid, :go)
      assert reason(Task.await(running, 60_000)) == :cancelled
    end

    test "ends one of a version that took over" do
      server = start!()
      assert Server.upgrade(server, wasm("rust")) == :ok
      running = busy!(server, "spin")
      Process.exit(server, :kill)
      assert reason(Task.await(running, 60_000)) == :cancelled
    end
  end

  describe "close/1" do
    test "ends a running call at once, and answers those that wait" do
      server = start!()
      running = busy!(server, "spin")
      waiting = Task.async(fn -> Vitrine.call(server, "echo") end)
      eventually(fn -> Server.info(server).queue == 1 end)
      assert Vitrine.close(server) == :ok
      assert reason(Task.await(running, 60_000)) == :cancelled
      assert reason(Task.await(waiting, 60_000)) == :closed
    end
  end
end
