defmodule Vitrine.Call.RunTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  @guest ~S"""
  (module
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (import "extism:host/env" "length" (func $length_of (param i64) (result i64)))
    (import "extism:host/user" "ask" (func $ask (param i64) (result i64)))
    (memory 1)
    (global $ready (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $ready (i32.const 7)))
    (func (export "echo") (call $output (call $input) (call $length)))
    (func (export "ready") (result i32)
      (global.set $ready (i32.add (global.get $ready) (i32.const 1))) (global.get $ready))
    (func (export "ask") (local $answer i64)
      (local.set $answer (call $ask (call $input)))
      (call $output (local.get $answer) (call $length_of (local.get $answer))))
    (func (export "trap") unreachable)
    (func (export "grow") (drop (memory.grow (i32.const 64))))
    (func (export "spin") (loop (br 0))))
  """

  setup_all do
    ask = fn question, context -> "#{question} #{inspect(context)} #{inspect(self())}" end
    {:ok, compiled} = Vitrine.compile(@guest, name: "p", host_functions: %{"ask" => ask})
    {:ok, compiled: compiled}
  end

  describe "run!/4 and compile!/2" do
    test "raise the error", %{compiled: compiled} do
      assert_raise Vitrine.Error, ~r/plugin "p", function "trap"/, fn ->
        Vitrine.run!(compiled, "trap")
      end

      assert Vitrine.run!(compiled, "echo", "hi") == "hi"
      assert_raise Vitrine.Error, ~r/missing.wasm/, fn -> Vitrine.compile!("missing.wasm") end
    end
  end

  describe "run/4" do
    test "raises for anything but a compiled plugin", %{compiled: compiled} do
      for {wrong, advice} <- [
            {{:ok, compiled}, ": match on {:ok, compiled} first"},
            {new!("(module)"), ": use Vitrine.call/4"},
            {"p.wasm", ": Vitrine.compile/2 makes one of a source"},
            {nil, "got: nil"}
          ] do
        error = assert_raise ArgumentError, fn -> Vitrine.run(wrong, "echo") end
        assert error.message =~ "expected a compiled plugin, got: "
        assert String.ends_with?(error.message, advice)
      end

      assert_raise ArgumentError, ~r/name of a function/, fn -> Vitrine.run(compiled, :echo) end

      assert_raise ArgumentError, ~r/keyword list/, fn ->
        Vitrine.run(compiled, "echo", "", %{})
      end
    end

    test "answers with the output of the function", %{compiled: compiled} do
      assert Vitrine.run(compiled, "echo", ["he", "llo"]) == {:ok, "hello"}
      assert Vitrine.run(compiled, "echo") == {:ok, ""}
      large = :binary.copy("x", 3_000_000)
      assert Vitrine.run(compiled, "echo", large) == {:ok, large}
    end

    test "initialises an instance for each call", %{compiled: compiled} do
      for _ <- 1..3, do: assert(error!(Vitrine.run(compiled, "ready")).code == 8)
    end

    test "keeps no variables from call to call" do
      {:ok, compiled} = Vitrine.compile(wasm("rust"), host_functions: host_functions())
      {:ok, first} = Vitrine.run(compiled, "counter", "")
      assert {:ok, ^first} = Vitrine.run(compiled, "counter", "")
    end

    test "runs host functions in the caller, with the context", %{compiled: compiled} do
      answer = "who :me #{inspect(self())}"
      assert Vitrine.run(compiled, "ask", "who", context: :me) == {:ok, answer}
    end

    test "encodes the input and decodes the output with codecs", %{compiled: compiled} do
      assert Vitrine.run(compiled, "echo", %{"a" => [1]}, as: :json) == {:ok, %{"a" => [1]}}
      assert Vitrine.run(compiled, "echo", "1", as: {:string, :json}) == {:ok, 1}
      error = error!(Vitrine.run(compiled, "echo", "{", as: {:string, :json}))
      assert {error.reason, error.plugin, error.function} == {:codec, "p", "echo"}
    end

    test "has one deadline for the instance and the call", %{compiled: compiled} do
      error = error!(Vitrine.run(compiled, "spin", "", timeout: 30))
      assert {error.reason, error.plugin, error.function} == {:timeout, "p", "spin"}

      {:ok, spinning} = Vitrine.compile(wat("infinite_start"), timeout: 30)
      assert reason(Vitrine.run(spinning, "run")) in [:timeout, :function_not_found]
    end

    test "has a deadline for the start function, too" do
      source = ~S|(module (func $start (loop (br 0))) (start $start) (func (export "run")))|
      {:ok, compiled} = Vitrine.compile(source, timeout: 30)
      assert reason(Vitrine.run(compiled, "run")) == :timeout
      assert reason(Vitrine.run(compiled, "run", "", timeout: 10)) == :timeout
    end

    test "answers with the errors of a call", %{compiled: compiled} do
      assert error!(Vitrine.run(compiled, "trap")).trap =~ "unreachable"
      assert reason(Vitrine.run(compiled, "none")) == :function_not_found
      {:ok, small} = Vitrine.compile(compiled, memory: [max_pages: 8])
      assert reason(Vitrine.run(small, "grow")) == :out_of_memory
      assert {:ok, ""} = Vitrine.run(compiled, "grow")
      assert_raise ArgumentError, fn -> Vitrine.run(compiled, "echo", "", timeout: -1) end
      assert_raise ArgumentError, fn -> Vitrine.run(compiled, "echo", "", tiemout: 1) end
      assert_raise ArgumentError, fn -> Vitrine.run(compiled, "echo", :term) end
    end

    test "answers with the error of a host function that raises" do
      raises = %{"ask" => fn _ -> raise "no" end}
      {:ok, compiled} = Vitrine.compile(@guest, host_functions: raises)

      assert %{reason: :host_function, exception: %RuntimeError{}} =
               error!(Vitrine.run(compiled, "ask"))
    end

    test "can be nested, and done by many processes at once" do
      me = self()
      {:ok, inner} = Vitrine.compile(@guest, host_functions: %{"ask" => & &1})

      ask = fn text ->
        send(me, :asked)
        {:ok, answer} = Vitrine.run(inner, "echo", text)
        answer
      end

      {:ok, outer} = Vitrine.compile(@guest, host_functions: %{"ask" => ask})
      work = fn n -> Vitrine.run(outer, "ask", "#{n}") end
      results = 1..200 |> Task.async_stream(work, max_concurrency: 20) |> Enum.map(&elem(&1, 1))
      assert results == for(n <- 1..200, do: {:ok, "#{n}"})
      assert_received :asked
    end

    test "ends with the process that makes it", %{compiled: compiled} do
      {pid, monitor} =
        spawn_monitor(fn -> Vitrine.run(compiled, "spin", "", timeout: :infinity) end)

      Process.sleep(20)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
      assert {:ok, "x"} = Vitrine.run(compiled, "echo", "x")
    end

    @tag :slow
    test "starts every language's guest" do
      for name <- ~w(rust c cpp zig assemblyscript go javascript) do
        options = [host_functions: host_functions(), wasi: [stdout: :drop, stderr: :drop]]
        {:ok, compiled} = Vitrine.compile(wasm(name), options)
        assert Vitrine.run(compiled, "echo", "hello " <> name) == {:ok, "hello " <> name}
      end
    end
  end
end
