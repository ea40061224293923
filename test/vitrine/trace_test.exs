defmodule Vitrine.TraceTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Trace

  # The log of plugins is shown only where a test fails.
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
      plugin =
        greeter!(fn _ ->
          Process.sleep(10)
          "hello"
        end)

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

    test "has log lines that Logger drops, and does not make Logger take them" do
      Logger.put_module_level(Vitrine.Call.Log, :error)
      on_exit(fn -> Logger.delete_module_level(Vitrine.Call.Log) end)
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

    test "of a call of a compiled plugin, its initialiser included" do
      source = ~S|
        (module
          (import "extism:host/env" "input_offset" (func $input (result i64)))
          (import "extism:host/env" "log_info" (func $log (param i64)))
          (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
          (func (export "_initialize") (drop (call $greet (call $input))))
          (func (export "log") (call $log (call $input)))
          (func (export "trap") unreachable))
      |
      {:ok, compiled} = Vitrine.compile(source, host_functions: %{"greet" => & &1})
      {result, events} = Vitrine.trace(compiled, "log", "Joe")
      assert result == {:ok, ""}

      assert [
               %{kind: :host_function},
               %{kind: :log, message: "Joe"},
               %{kind: :call, input: "Joe"}
             ] = events

      assert {{:error, error}, events} = Vitrine.trace(compiled, "trap")
      assert [%{kind: :host_function}, %{kind: :call, result: {:error, ^error}}] = events
      assert {{:error, %{reason: :function_not_found}}, [_ | _]} = Vitrine.trace(compiled, "walk")
    end

    test "takes codecs, and leaves nothing behind" do
      plugin = new!(wasm("rust_minimal"))
      before = Process.get()
      assert {{:ok, [1]}, [%{kind: :call}]} = Vitrine.trace(plugin, "echo", [1], as: :json)
      assert Process.get() == before

      assert_raise ArgumentError, ~r/:max_events/, fn ->
        Vitrine.trace(plugin, "echo", "", max_events: 0)
      end

      assert_raise ArgumentError, ~r/:trace is for Vitrine.call/, fn ->
        Vitrine.trace(plugin, "echo", "", trace: & &1)
      end

      assert_raise ArgumentError, ~r/keyword list/, fn ->
        Vitrine.trace(plugin, "echo", "", %{})
      end
    end
  end

  describe "captured output" do
    @captures [wasi: [stdout: :capture, stderr: :capture]]

    defp captured({_result, events}) do
      for %{kind: :captured} = event <- events, do: {event.stream, event.text}
    end

    test "of a compiled plugin's call is in the trace, each call's own" do
      {:ok, compiled} = Vitrine.compile(wasm("c_wasi"), @captures)
      assert captured(Vitrine.trace(compiled, "print", "one")) == [stdout: "one"]
      assert captured(Vitrine.trace(compiled, "print_error", "two")) == [stderr: "two"]
      assert [stdout: _, stderr: "a warning\n"] = captured(Vitrine.trace(compiled, "print_lines"))
      assert captured(Vitrine.trace(compiled, "echo", "three")) == []
      assert {:ok, _} = Vitrine.run(compiled, "print", "one", trace: &send(self(), &1))
      assert_received %{kind: :captured, text: "one"}
    end

    test "of a call that fails is in the trace" do
      source = ~S|
        (module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\08\00\00\00\05\00\00\00last!")
          (func (export "trap")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
            unreachable))
      |
      {:ok, compiled} = Vitrine.compile(source, @captures)
      assert {{:error, %{reason: :trap}}, _} = trace = Vitrine.trace(compiled, "trap")
      assert captured(trace) == [stdout: "last!"]
    end

    test "is kept, however many events there are" do
      {:ok, compiled} = Vitrine.compile(wasm("c_wasi"), wasi: [stdout: :log, stderr: :capture])
      {_, events} = Vitrine.trace(compiled, "print_lines", "", max_events: 1)
      assert [:print, :captured, :call, :dropped] == Enum.map(events, & &1.kind)
    end

    test "of a pool's call is that of this call" do
      pool = start_supervised!({Vitrine.Pool, [source: wasm("c_wasi"), size: 1] ++ @captures})
      {:ok, _} = Vitrine.call(pool, "print", "somebody else's")
      assert captured(Vitrine.trace(pool, "print", "mine")) == [stdout: "mine"]
    end

    test "of a plugin stays to be taken" do
      plugin = new!(wasm("c_wasi"), @captures)
      assert captured(Vitrine.trace(plugin, "print", "kept")) == []
      assert Vitrine.take_printed(plugin) == %{stdout: "kept", stderr: ""}
    end
  end

  describe "the option :trace of call/4" do
    test "gets events while the call runs" do
      test = self()

      plugin =
        greeter!(fn name ->
          send(test, {:greets, name})
          name
        end)

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
