defmodule Vitrine.TraceTest do
  use ExUnit.Case, async: true

  # What plugins log is shown only where a test fails.
  @moduletag :capture_log

  import ExUnit.CaptureLog
  import Vitrine.Guests

  @guest ~S|
    (module
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "log_debug" (func $log (param i64)))
      (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
      (func (export "greet_and_log") (call $log (call $greet (call $input))))
      (func (export "greet_forever") (loop (drop (call $greet (call $input))) (br 0))))
  |

  defp greeter!(greet, options \\ []),
    do: new!(@guest, [host_functions: %{"greet" => greet}] ++ options)

  describe "trace/4" do
    test "gives the result, and what happened in order, with times" do
      plugin = greeter!(fn _ -> Process.sleep(10) && "hello" end)
      {result, events} = Vitrine.trace(plugin, "greet_and_log", "Joe")
      assert result == {:ok, ""}
      assert [:host_function, :log, :call] == Enum.map(events, & &1.kind)
      [greet, log, call] = events
      assert %{level: :debug, message: "hello"} = log
      assert %{name: "greet", args: ["Joe"], reply: {:ok, ["hello"]}} = greet
      assert %{function: "greet_and_log", input: "Joe", result: {:ok, ""}, at: 0} = call
      assert greet.us >= 10_000 and greet.at + greet.us <= log.at and log.at + log.us <= call.us
    end

    test "goes through a pool" do
      options = [source: @guest, host_functions: %{"greet" => & &1}, size: 1]
      pool = start_supervised!({Vitrine.Pool, options})

      for _ <- 1..2 do
        assert {{:ok, ""}, events} = Vitrine.trace(pool, "greet_and_log", "Joe")
        assert [:host_function, :log, :call] == Enum.map(events, & &1.kind)
      end
    end

    test "has what Logger does not take, and does not make it take that" do
      Logger.put_module_level(Vitrine.Log, :error)
      on_exit(fn -> Logger.delete_module_level(Vitrine.Log) end)
      plugin = greeter!(& &1)

      log =
        capture_log(fn ->
          assert {_, [_, %{kind: :log}, _]} = Vitrine.trace(plugin, "greet_and_log", "quiet")
        end)

      refute log =~ "quiet"
      # Unless the plugin may not log at all.
      plugin = greeter!(& &1, log_level: :off)
      assert {_, [%{kind: :host_function}, _]} = Vitrine.trace(plugin, "greet_and_log")
    end

    test "keeps a bounded number of events" do
      plugin = greeter!(& &1)

      {result, events} = Vitrine.trace(plugin, "greet_forever", "x", max_events: 3, timeout: 20)

      assert reason(result) == :timeout

      assert [:host_function, :host_function, :host_function, :call, :dropped] =
               Enum.map(events, & &1.kind)

      assert List.last(events).count > 3
    end

    test "tells of a host function that fails, and of the call's error" do
      plugin = greeter!(fn _ -> raise "no" end)
      {result, [greet, call]} = Vitrine.trace(plugin, "greet_and_log")
      assert reason(result) == :host_function
      assert greet.reply == :failed
      assert call.result == result
    end

    test "of a call of a server" do
      server =
        start_supervised!({Vitrine.Server, source: @guest, host_functions: %{"greet" => & &1}})

      {{:ok, ""}, events} = Vitrine.trace(server, "greet_and_log", "Joe")
      assert [:host_function, :log, :call] == Enum.map(events, & &1.kind)
    end

    test "takes codecs, and leaves nothing behind" do
      plugin = new!(wasm("rust_minimal"))
      before = Process.get()
      assert {{:ok, [1]}, [%{kind: :call}]} = Vitrine.trace(plugin, "echo", [1], as: :json)
      assert Process.get() == before

      assert_raise ArgumentError, ~r/:max_events/, fn ->
        Vitrine.trace(plugin, "echo", "", max_events: 0)
      end
    end
  end

  describe "the option :trace of call/4" do
    test "gets events while the call runs" do
      test = self()
      plugin = greeter!(fn name -> send(test, {:greets, name}) && name end)
      {:ok, ""} = Vitrine.call(plugin, "greet_and_log", "Joe", trace: &send(test, &1.kind))

      assert {:messages, [{:greets, "Joe"}, :host_function, :log, :call]} =
               Process.info(test, :messages)
    end

    test "must be a function" do
      assert_raise ArgumentError, ~r/:trace/, fn ->
        Vitrine.call(new!("(module)"), "x", "", trace: true)
      end
    end
  end
end
