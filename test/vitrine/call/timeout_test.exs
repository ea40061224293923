defmodule Vitrine.Call.TimeoutTest do
  # Tests the error of a call that ran out of time.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.{HTTPGuest, Pool, Server}

  defmodule SlowClient do
    @behaviour Vitrine.HTTP

    @impl true
    def request(_request, _options) do
      Process.sleep(60)
      {:error, :late}
    end
  end

  @spin ~S|(module (func (export "run") (loop (br 0))))|
  @asks ~S|(module
    (import "extism:host/user" "look up" (func $ask (param i64) (result i64)))
    (func (export "run") (drop (call $ask (i64.const 0)))))|

  # Ten seconds.
  @sleeps ~S|(module
    (import "wasi_snapshot_preview1" "poll_oneoff"
      (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "run")
      (i32.store (i32.const 16) (i32.const 1))
      (i64.store (i32.const 24) (i64.const 10000000000))
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))|

  defp message(result) do
    error = error!(result)
    assert error.reason == :timeout
    # Times are what they are.
    String.replace(error.message, ~r/(?<=[ :])\d+(?= ms (?!were allowed|passed))/, "N")
  end

  defp asks(milliseconds) do
    slow = fn _ ->
      Process.sleep(milliseconds)
      ""
    end

    [host_functions: %{"look up" => slow}]
  end

  describe "the error of a call that timed out names the deadline of" do
    test "the call" do
      assert message(Vitrine.call(new!(@spin), "run", "", timeout: 30)) =~
               ~r/^the call ran past its deadline: .*N ms in the guest.*; 30 ms were allowed \(timeout: 30 of the call\)$/

      assert message(Vitrine.call(new!(@spin), "run", "", timeout: 30, context: 1)) =~
               "; 30 ms were allowed (timeout: 30 of the call)"

      assert message(Vitrine.call(new!(@spin), "run", "", timeout: 0)) ==
               "the call ran past its deadline; 0 ms were allowed (timeout: 0 of the call)"
    end

    test "the plugin, also where the call could have had the same" do
      plugin = new!(@spin, timeout: 30)
      assert message(Vitrine.call(plugin, "run")) =~ "(timeout: 30 of the plugin)"
      assert message(Vitrine.call(plugin, "run", "", timeout: 30)) =~ "(timeout: 30 of the call)"
      compiled = Vitrine.compile!(@spin, timeout: 30)
      assert message(Vitrine.run(compiled, "run")) =~ "(timeout: 30 of the plugin)"
      assert message(Vitrine.run(compiled, "run", "", timeout: 20)) =~ "(timeout: 20 of the call)"
    end

    test "the manifest, or the default" do
      manifest = %{wasm: [%{data: Base.encode64(@spin)}], timeout_ms: 30}
      assert message(Vitrine.call(new!(manifest), "run")) =~ "(timeout_ms: 30 of the manifest)"

      assert message(Vitrine.call(new!(manifest, timeout: 20), "run")) =~
               "(timeout: 20 of the plugin)"

      assert Vitrine.Call.Timeout.allowed(5_000, new!(@spin).timeout_from) ==
               "5000 ms were allowed (the default; the call and the plugin have an option timeout: for another)"
    end
  end

  describe "the error of a call that timed out says that the time was spent in" do
    test "the host function, by its name" do
      plugin = new!(@asks, asks(60))

      assert message(Vitrine.call(plugin, "run", "", timeout: 30)) =~
               ~r/^the call ran past its deadline: .*N ms in the host function "look up"/
    end

    test "the request, by its host" do
      plugin = HTTPGuest.plugin!(allowed_hosts: ["example.com"], http: SlowClient)

      assert message(HTTPGuest.get(plugin, "http://example.com/a?b", [], timeout: 30)) =~
               ~s(N ms in requests to "example.com")
    end

    test "a start function, when the plugin is made or an instance for a call" do
      source = ~S|(module (start $spin) (func $spin (loop (br 0))) (func (export "run")))|

      assert message(Vitrine.new(source, timeout: 30)) =~
               ~r/: .*N ms initialising the plugin.*; 30 ms were allowed \(timeout: 30 of the plugin\)$/

      compiled = Vitrine.compile!(source)

      assert message(Vitrine.run(compiled, "run", "", timeout: 30)) =~
               ~r/: .*N ms initialising the plugin.*; 30 ms were allowed \(timeout: 30 of the call\)$/
    end

    test "a sleep in WASI" do
      plugin = new!(@sleeps, wasi: true)
      assert message(Vitrine.call(plugin, "run", "", timeout: 30)) =~ "N ms waiting in WASI"
    end

    test "the parts that are longest, those of one name together" do
      names = for n <- 0..9, do: %{name: "f#{n}"}
      functions = List.to_tuple(names ++ [%{name: "f9"}])
      spent = for n <- 0..10, do: {{:host_function, n}, (n + 1) * 1_000_000}

      assert Vitrine.Call.TimeSpent.message("it ended", [{:guest, 400_000} | spent], functions) ==
               ~s(it ended: 21 ms in the host function "f9", 9 ms in the host function "f8", ) <>
                 ~s(8 ms in the host function "f7", 7 ms in the host function "f6", ) <>
                 ~s(6 ms in the host function "f5", and 5 more)

      assert Vitrine.Call.TimeSpent.message("it ended", [guest: 400_000], {}) == "it ended"

      assert Vitrine.Call.TimeSpent.message("it ended", [admission: 3_000_000], {}) ==
               "it ended: 3 ms waiting until other instances are dropped"
    end
  end

  describe "the error of a call of a server that timed out" do
    @tag :slow
    test "says how much of the time passed in the queue, or all of it" do
      {:ok, server} = Server.start_link([source: @asks, timeout: 60_000] ++ holds())
      {first, holder} = held(server, [])
      second = queued(server, fn -> Server.info(server).queue end, timeout: 2_000)

      assert message(Vitrine.call(server, "run", "", timeout: 40)) ==
               "the call waited for the server until its deadline; 40 ms were allowed (timeout: 40 of the call)"

      # Much more than a machine that is busy is late by, which the error takes from it.
      Process.sleep(1_000)
      send(holder, :go_on)
      assert {:ok, ""} = Task.await(first, 60_000)
      assert_receive {:holding, holder}

      assert over(second, holder, 1_000) =~
               ~r/host function "look up".*; 2000 ms were allowed \(timeout: 2000 of the call\), of which \d+ ms passed in the queue of the server$/

      {last, holder} = held(server, timeout: 40)
      assert over(last, holder, 50) =~ ~r/\(timeout: 40 of the call\)$/
    end

    test "says that the server did not answer at all" do
      {:ok, server} = Server.start_link(source: @spin)
      :sys.suspend(server)
      result = Vitrine.call(server, "run", "", timeout: 20)
      assert error!(result).message =~ "did not answer within 20 ms (timeout: 20 of the call)"
      :sys.resume(server)
    end
  end

  describe "the error of a call of a pool that timed out" do
    @tag :slow
    test "says how much of the time passed in the queue, or all of it, and whether the pool's option ended it" do
      {:ok, pool} = Pool.start_link([source: @asks, size: 1, timeout: 60_000] ++ holds())
      {first, holder} = held(pool, [])
      second = queued(pool, fn -> Pool.info(pool).waiting end, timeout: 2_000)

      assert message(Vitrine.call(pool, "run", "", timeout: 40)) ==
               "no instance of the pool was free in time; 40 ms were allowed (timeout: 40 of the call)"

      # Much more than a machine that is busy is late by, which the error takes from it.
      Process.sleep(1_000)
      send(holder, :go_on)
      assert {:ok, ""} = Task.await(first, 60_000)
      assert_receive {:holding, holder}

      assert over(second, holder, 1_000) =~
               ~r/host function "look up".*; 2000 ms were allowed \(timeout: 2000 of the call\), of which \d+ ms passed in the queue of the pool$/

      options = [source: @asks, size: 1, queue_timeout: 30, timeout: 60_000] ++ holds()
      {:ok, pool} = Pool.start_link(options)
      {first, holder} = held(pool, [])

      assert message(Vitrine.call(pool, "run", "", timeout: 10_000)) ==
               "no instance of the pool was free in time; 30 ms were allowed (queue_timeout: 30 of the pool)"

      send(holder, :go_on)
      assert {:ok, ""} = Task.await(first, 60_000)
    end
  end

  # A host function that holds its call until it is told to go on.
  defp holds do
    test = self()

    hold = fn _ ->
      send(test, {:holding, self()})
      receive do: (:go_on -> "")
    end

    [host_functions: %{"look up" => hold}]
  end

  defp held(callable, options) do
    task = Task.async(fn -> Vitrine.call(callable, "run", "", options) end)
    assert_receive {:holding, holder}
    {task, holder}
  end

  defp queued(callable, waiting, options) do
    task = Task.async(fn -> Vitrine.call(callable, "run", "", options) end)
    eventually(fn -> waiting.() == 1 end)
    task
  end

  # The message of a call whose host function goes on so many milliseconds later.
  defp over(task, holder, milliseconds) do
    Process.send_after(holder, :go_on, milliseconds)
    message(Task.await(task, 60_000))
  end
end
