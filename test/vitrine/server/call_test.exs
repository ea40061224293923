defmodule Vitrine.Server.CallTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Process.Request
  alias Vitrine.Server

  defp start!(options \\ []) do
    options = Keyword.merge([source: wasm("rust"), host_functions: host_functions()], options)
    start_supervised!({Server, options})
  end

  # A plugin like the server's.
  defp load(_server) do
    {:ok, plugin} = Vitrine.new(wasm("rust"), host_functions: host_functions())
    plugin
  end

  describe "call/4 of a server" do
    test "serves many processes, each call whole, in one instance" do
      server = start!()

      counts =
        1..200 |> Enum.map(fn _ -> Task.async(fn -> Vitrine.call!(server, "counter") end) end)

      counts = counts |> Task.await_many(60_000) |> Enum.map(&String.to_integer/1)
      assert Enum.sort(counts) == Enum.to_list(1..200)
    end

    test "runs host functions in the calling process, with its context" do
      greet = fn _, context -> inspect({self(), context}) end
      server = start!(host_functions: %{"greet" => greet})
      assert Vitrine.call!(server, "greet", "", context: 7) == inspect({self(), 7})
    end

    test "goes on with the next caller while nobody waits for a host function" do
      server =
        start!(
          host_functions: %{
            "greet" => fn _ ->
              Process.sleep(20)
              "x"
            end
          }
        )

      tasks = for _ <- 1..10, do: Task.async(fn -> Vitrine.call(server, "greet") end)
      assert Task.await_many(tasks, 60_000) == List.duplicate({:ok, "x"}, 10)
    end

    test "gives large inputs and outputs" do
      bytes = :binary.copy("0123456789", 200_000)
      assert Vitrine.call(start!(), "echo", bytes) == {:ok, bytes}
    end

    test "passes on every error" do
      server = start!()
      assert reason(Vitrine.call(server, "fail", "no")) == :guest_error
      assert reason(Vitrine.call(server, "missing")) == :function_not_found
      assert reason(Vitrine.call(server, "recurse")) == :trap
      assert reason(Vitrine.call(server, "spin", "", timeout: 30)) == :timeout
      assert Vitrine.call(server, "echo", "hi") == {:ok, "hi"}
      assert_raise ArgumentError, fn -> Vitrine.call(server, "echo", "", colour: 1) end
    end

    test "lets no more calls wait than may" do
      server = start!(max_queue: 1)
      spinner = Task.async(fn -> Vitrine.call(server, "spin", "", timeout: 60_000) end)
      eventually(fn -> leased?(server) end)
      waiting = Task.async(fn -> Vitrine.call(server, "echo", "hi", timeout: 60_000) end)
      eventually(fn -> Server.info(server).queue == 1 end)
      error = error!(Vitrine.call(server, "echo", "hi"))
      assert {error.reason, error.function} == {:queue_full, "echo"}
      assert error.message =~ "1 call waits"
      Task.shutdown(spinner, :brutal_kill)
      assert Task.await(waiting, 60_000) == {:ok, "hi"}

      assert_raise ArgumentError, ~r/:max_queue/, fn ->
        Server.start_link(source: "(module)", max_queue: -1)
      end
    end

    test "keeps the call's timeout although the server does not answer" do
      server = start!()
      :sys.suspend(server)
      error = error!(Vitrine.call(server, "echo", "", timeout: 20))
      assert {error.reason, error.function} == {:timeout, "echo"}
      assert error.message =~ "did not answer within 20 ms"
      :sys.resume(server)
      assert Vitrine.call(server, "echo", "hi") == {:ok, "hi"}
      assert Server.info(server).state == :idle
    end

    test "takes the plugin back from a call that was handed over too late" do
      server = start!()
      :sys.suspend(server)
      # This one's first slice is not all: it would be handed over to a client that has gone on.
      assert reason(Vitrine.call(server, "greet", "", timeout: 20)) == :timeout
      :sys.resume(server)
      assert Vitrine.call(server, "echo", "hi", timeout: 5_000) == {:ok, "hi"}
    end

    test "drops a call from the queue if its client has given up" do
      server = start!()
      spinner = Task.async(fn -> Vitrine.call(server, "spin", "", timeout: 60_000) end)
      eventually(fn -> leased?(server) end)
      id = make_ref()
      request = %Request{id: id, function: "echo", input: "", timeout: 60_000}
      client = Task.async(fn -> catch_exit(GenServer.call(server, request, 100)) end)
      eventually(fn -> Server.info(server).queue == 1 end)
      GenServer.cast(server, {:abandon, id})
      eventually(fn -> Server.info(server).queue == 0 end)
      Task.shutdown(spinner, :brutal_kill)
      Task.await(client, 60_000)
    end

    test "frees the plugin when something of the caller's raises in the middle" do
      server = start!()

      for plugin <- [server, load(server)] do
        assert_raise RuntimeError, "a sink that fails", fn ->
          Vitrine.call(plugin, "greet", "", trace: fn _ -> raise "a sink that fails" end)
        end

        assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
      end
    end

    test "goes on after an unknown message" do
      server = start!()
      GenServer.cast(server, :hello)
      send(server, {:expired, :nothing})

      assert_raise ArgumentError, ~r/expected a pool for :upgrade, got: the server/, fn ->
        Vitrine.Pool.upgrade(server, wasm("rust"))
      end

      for options <- [%{timeout: 5}, [:timeout], nil] do
        assert_raise ArgumentError, ~r/keyword list/, fn ->
          Server.upgrade(server, wasm("rust"), options)
        end
      end

      assert_raise ArgumentError, ~r/:scheduler/, fn ->
        Server.upgrade(server, wasm("rust"), scheduler: :fast)
      end

      assert Process.alive?(server)
    end

    test "counts the time in the queue" do
      server = start!()
      spinner = Task.async(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> leased?(server) end)
      error = error!(Vitrine.call(server, "echo", "", timeout: 20))
      assert {error.reason, error.function} == {:timeout, "echo"}
      Vitrine.cancel(server)
      assert reason(Task.await(spinner, 60_000)) == :cancelled
      assert Vitrine.call(server, "echo", "hi") == {:ok, "hi"}
    end

    test "past its timeout does no work any more" do
      server = start!()
      assert reason(Vitrine.call(server, "spin", "", timeout: 20)) == :timeout
      eventually(fn -> not leased?(server) end)
      slices = Vitrine.stats(server).slices
      Process.sleep(30)
      assert Vitrine.stats(server).slices == slices
    end

    test "from within its own host function is told :busy" do
      me = self()

      greet = fn _ ->
        receive do
          {:server, server} -> send(me, Vitrine.call(server, "echo", ""))
        end

        "done"
      end

      server = start!(host_functions: %{"greet" => greet})
      send(self(), {:server, server})
      assert Vitrine.call(server, "greet") == {:ok, "done"}
      assert_received {:error, %Vitrine.Error{reason: :busy}}
    end

    test "leaves no message behind" do
      server = start!(source: wasm("c_wasi"), wasi: true)
      for timeout <- [1, 5, 1_000], do: Vitrine.call(server, "sleep_ms", "5", timeout: timeout)
      refute_receive _, 50
      assert Process.info(server, :message_queue_len) == {:message_queue_len, 0}
    end

    test "refuses values that are not timeouts" do
      server = start!()

      for timeout <- [nil, false, -1, "5"] do
        assert_raise ArgumentError, ~r/:timeout to be milliseconds/, fn ->
          Vitrine.call(server, "echo", "", timeout: timeout)
        end
      end
    end

    test "of a server that is not there is closed" do
      error = error!(Vitrine.call(:no_such_server, "echo"))
      assert {error.reason, error.function} == {:closed, "echo"}
      assert error.message =~ ":no_such_server is not running: there is no such process"
      server = start!()
      assert Vitrine.close(server) == :ok
      assert reason(Vitrine.call(server, "echo")) == :closed
      assert reason(Vitrine.reset(server)) == :closed
      assert Vitrine.cancel(server) == :ok
      refute Vitrine.function_exists?(server, "echo")
    end
  end

  describe "a process that is not a server" do
    test "is not asked and lives on, and nothing of it is shown" do
      {:ok, agent} = Agent.start(fn -> "secret" end)
      error = assert_raise ArgumentError, fn -> Vitrine.call(agent, "echo", "input") end
      assert error.message =~ "got: #{inspect(agent)}, which is a process that runs "
      refute error.message =~ ~r/secret|input/
      assert Agent.get(agent, & &1) == "secret"
    end
  end

  describe "a caller that dies" do
    test "in a loop of the guest frees the server" do
      server = start!()
      caller = spawn(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> leased?(server) end)
      Process.exit(caller, :kill)
      assert Vitrine.call(server, "echo", "hi", timeout: 5_000) == {:ok, "hi"}
    end

    test "in a host function frees the server" do
      server = start!(host_functions: %{"greet" => fn _ -> Process.sleep(:infinity) end})
      caller = spawn(fn -> Vitrine.call(server, "greet", "", timeout: :infinity) end)
      eventually(fn -> leased?(server) end)
      Process.exit(caller, :kill)
      assert Vitrine.call(server, "echo", "hi", timeout: 5_000) == {:ok, "hi"}
    end

    test "in the queue has its call dropped" do
      me = self()

      greet = fn name ->
        send(me, {:called, name})
        "x"
      end

      server = start!(host_functions: %{"greet" => greet})
      spinner = spawn(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> leased?(server) end)
      queued = spawn(fn -> Vitrine.call(server, "greet", "dead", timeout: :infinity) end)
      eventually(fn -> Server.info(server).queue == 1 end)
      Process.exit(queued, :kill)
      eventually(fn -> Server.info(server).queue == 0 end)
      Process.exit(spinner, :kill)
      assert Vitrine.call(server, "echo", "hi") == {:ok, "hi"}
      refute_received {:called, "dead"}
    end

    test "frees the server, whenever it dies" do
      server = start!()

      for delay <- Enum.take_random(0..40, 30) do
        caller = spawn(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
        Process.sleep(rem(delay, 7))
        Process.exit(caller, :kill)
        assert Vitrine.call(server, "echo", "hi", timeout: 10_000) == {:ok, "hi"}
      end
    end
  end

  describe "cancel/1, reset/1 and function_exists?/2 of a server" do
    test "do what they do to a plugin" do
      server = start!()
      assert Vitrine.function_exists?(server, "echo")
      assert Vitrine.call!(server, "counter") == "1"
      assert Vitrine.reset(server) == :ok
      assert Vitrine.call!(server, "counter") == "1"
      call = Task.async(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> leased?(server) end)
      assert reason(Vitrine.reset(server)) == :busy
      assert Vitrine.cancel(server) == :ok
      assert reason(Task.await(call, 60_000)) == :cancelled
    end
  end

  defp leased?(server), do: Server.info(server).state == :busy
end
