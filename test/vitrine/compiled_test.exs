defmodule Vitrine.CompiledTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  alias Vitrine.HostFunction

  doctest Vitrine.Compiled

  @counter ~S"""
  (module
    (global $n (mut i32) (i32.const 0))
    (func (export "count") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (global.get $n)))
  """

  # Answers with the value of the configuration's key "k".
  @config ~S"""
  (module
    (import "extism:host/env" "config_get" (func $config (param i64) (result i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (func (export "config") (local $k i64)
      (local.set $k (call $alloc (i64.const 1)))
      (call $store (local.get $k) (i32.const 107))
      (local.set $k (call $config (local.get $k)))
      (call $output (local.get $k) (call $length (local.get $k)))))
  """

  defp compile!(source, options \\ []) do
    assert {:ok, compiled} = Vitrine.compile(source, options)
    compiled
  end

  defp code(plugin, function), do: error!(Vitrine.call(plugin, function)).code

  describe "compile/2" do
    test "takes every source that new/2 takes, and answers with the same errors" do
      path = wat("vowels")
      manifest = %{"wasm" => [%{"path" => path}]}

      {:ok, json} = Vitrine.Codec.JSON.encode(manifest, [])

      for source <- [path, File.read!(path), manifest, json] do
        plugin = new!(compile!(source))
        assert {:ok, json} = Vitrine.call(plugin, "count_vowels", "hello world")
        assert json =~ ~s("count":3)
      end

      for {source, reason} <- [
            {"(module (func i32.const))", :compile},
            {~S|(module (import "a" "b" (func)))|, :link},
            {%{"wasm" => []}, :manifest},
            {"no/such/file.wasm", :file}
          ] do
        assert reason(Vitrine.compile(source, name: "p")) == reason
      end
    end

    test "runs nothing of the plugin" do
      compiled = compile!(wat("trapping_start"))
      assert reason(Vitrine.new(compiled)) == :trap
      assert reason(Vitrine.new(compile!(wat("infinite_start")), timeout: 20)) == :timeout
    end

    test "raises for wrong options, as new/2 does" do
      assert_raise ArgumentError, fn -> Vitrine.compile(@counter, timeot: 1) end
      assert_raise ArgumentError, fn -> Vitrine.new(compile!(@counter), timeot: 1) end
    end

    test "names the plugin by the option, its file or its hash, and inspect shows name and hash" do
      sha256 = Base.encode16(:crypto.hash(:sha256, @counter), case: :lower)
      short = String.slice(sha256, 0, 12)
      assert inspect(compile!(@counter)) == "#Vitrine.Compiled<#{short}>"
      assert compile!(@counter).hash == sha256
      assert inspect(compile!(@counter, name: :counter)) == "#Vitrine.Compiled<counter #{short}>"
      assert %{name: "vowels"} = compiled = compile!(wat("vowels"))
      assert new!(compiled).name == "vowels"
      assert new!(compiled, name: "other").name == "other"
    end

    test "links several modules" do
      counter = %{"data" => Base.encode64(@counter), "name" => "counter"}

      main = ~S"""
      (module
        (import "counter" "count" (func $count (result i32)))
        (func (export "run") (result i32) (drop (call $count)) (call $count)))
      """

      main = %{"data" => Base.encode64(main), "name" => "main"}
      compiled = compile!(%{"wasm" => [counter, main]})
      assert {code(new!(compiled), "run"), code(new!(compiled), "run")} == {2, 2}
      error = error!(Vitrine.compile(%{"wasm" => [%{counter | "name" => "other"}, main]}))
      assert {error.reason, error.message =~ ~S("counter"."count")} == {:link, true}
    end

    test "takes a compiled plugin, with options on top" do
      compiled = compile!(@config, config: %{"k" => "one"})
      assert {:ok, other} = Vitrine.compile(compiled, config: %{"k" => "two"})
      assert {:ok, "two"} = Vitrine.call(new!(other), "config")
      assert {:ok, "one"} = Vitrine.call(new!(compiled), "config")
    end
  end

  describe "new/2 of a compiled plugin" do
    test "makes instances that share only the code" do
      compiled = compile!(@counter)
      {one, other} = {new!(compiled), new!(compiled)}
      assert {code(one, "count"), code(one, "count"), code(other, "count")} == {1, 2, 1}
    end

    test "works in any process, also after the compiling process has ended" do
      compiled = Task.await(Task.async(fn -> compile!(@counter) end), 60_000)

      codes =
        1..8
        |> Task.async_stream(fn _ -> code(new!(compiled), "count") end)
        |> Enum.map(&elem(&1, 1))

      assert codes == List.duplicate(1, 8)
    end

    test "merges options over those given to compile" do
      compiled = compile!(@config, config: %{"k" => "one"}, timeout: 1234)
      assert new!(compiled).timeout == 1234
      plugin = new!(compiled, config: %{"k" => "two"}, timeout: :infinity)
      assert {:ok, "two"} = Vitrine.call(plugin, "config")
      assert plugin.timeout == :infinity
    end

    test "keeps the options of the manifest" do
      manifest = %{"wasm" => [%{"data" => Base.encode64(@config)}], "config" => %{"k" => "m"}}
      compiled = compile!(Map.put(manifest, "timeout_ms", 77))
      assert {:ok, "m"} = Vitrine.call(new!(compiled), "config")
      assert new!(compiled).timeout == 77
    end

    test "takes other limits" do
      compiled = compile!("(module (memory 2) (func (export \"run\")))")
      assert reason(Vitrine.new(compiled, memory: [max_pages: 1])) == :out_of_memory
      assert {:ok, ""} = Vitrine.call(new!(compiled), "run")
    end

    test "takes other grants of WASI" do
      compiled = compile!(wasm("c_wasi"), wasi: [stdout: :drop])
      assert new!(compiled, wasi: true).print_levels == %{stdout: :info, stderr: :warning}
      assert new!(compiled, wasi: [stdout: {:log, :error}]).print_levels.stdout == :error
    end

    test "takes other host functions of the same names and types, however they are written" do
      greet = fn text -> fn name -> text <> name end end
      compiled = compile!(wasm("c"), host_functions: %{"greet" => greet.("a "), "tick" => & &1})
      assert {:ok, "a joe"} = Vitrine.call(new!(compiled), "greet", "joe")

      plugin = new!(compiled, host_functions: [{"tick", & &1}, {"greet", greet.("b ")}])
      assert {:ok, "b joe"} = Vitrine.call(plugin, "greet", "joe")
    end

    test "calls the host function that the plugin imports, of several" do
      add = &HostFunction.new("add", [:i64, :i64], :i64, &1, namespace: "env")
      other = &HostFunction.new("a", [], :i32, &1)
      one = [add.(fn a, b -> a + b end), other.(fn -> 0 end)]
      two = [other.(fn -> 0 end), add.(fn a, b -> a * b end)]

      source = ~S"""
      (module
        (import "env" "add" (func $add (param i64 i64) (result i64)))
        (func (export "run") (result i32)
          (i32.wrap_i64 (call $add (i64.const 3) (i64.const 5)))))
      """

      compiled = compile!(source, host_functions: one)
      assert code(new!(compiled), "run") == 8
      assert code(new!(compiled, host_functions: two), "run") == 15
    end

    test "refuses options for which it would have to be compiled again" do
      compiled = compile!("(module)", name: "p")
      counting = compile!("(module)", name: "p", fuel: 1000)
      fuse = Application.get_env(:vitrine, :fuse, true)

      for {compiled, options, message} <- [
            {compiled, [fuel: 10],
             ~r/the option :fuel to be left out, as when #Vitrine.Compiled<p/},
            {counting, [fuel: nil], ~r/the option :fuel to be given/},
            {compiled, [debug_info: true], ~r/the option :debug_info to be false/},
            {compiled, [coredump: "core"], ~r/the option :coredump to be left out/},
            {compiled, [profiler: :perf], ~r/the option :profiler to be nil/},
            {compiled, [memory_layout: :dense], ~r/the option :memory_layout to be :fast/},
            {compiled, [fuse: not fuse], ~r/the option :fuse to be #{fuse}/}
          ] do
        assert_raise ArgumentError, message, fn -> Vitrine.new(compiled, options) end
      end

      assert %{} = new!(counting, fuel: 5, init_fuel: 7)
    end

    test "refuses options for which it would have to be linked again" do
      compiled = compile!("(module)", host_functions: %{"a" => & &1})

      for {options, message} <- [
            {[wasi: true], ~r/the option :wasi to be false/},
            {[host_functions: %{}], ~r/the option :host_functions to be functions of the same/},
            {[host_functions: %{"b" => & &1}], ~r/\{"extism:host\/user", "a", nil\}/},
            {[host_functions: [HostFunction.new("a", [:i32], nil, & &1)]], ~r/:host_functions/}
          ] do
        assert_raise ArgumentError, message, fn -> Vitrine.new(compiled, options) end
      end

      granted = compile!("(module)", wasi: true)
      message = ~r/the option :wasi to be true or a keyword list/
      assert_raise ArgumentError, message, fn -> Vitrine.new(granted, wasi: false) end
    end

    test "is what a server can be started with" do
      compiled = compile!(@counter, name: "p")
      server = start_supervised!({Vitrine.Server, source: compiled})
      assert error!(Vitrine.call(server, "count")).plugin == "p"
      assert error!(Vitrine.call(server, "count")).code == 2
    end

    test "has its own options under those of a server or pool" do
      compiled = compile!(@counter, fuel: 1_000)
      options = [source: compiled, init_fuel: 10]
      server = start_supervised!({Vitrine.Server, options})
      pool = start_supervised!({Vitrine.Pool, options})

      for callable <- [server, pool],
          do: assert(error!(Vitrine.call(callable, "count")).code == 1)

      assert Vitrine.Pool.upgrade(pool, compiled, init_fuel: 20) == :ok

      for start <- [&Vitrine.Server.start_link/1, &Vitrine.Pool.start_link/1] do
        assert_raise ArgumentError, ~r/:init_fuel together with :fuel/, fn ->
          start.(source: @counter, init_fuel: 10)
        end
      end
    end
  end

  describe "function_exists?/2" do
    test "is true only for plugin functions" do
      source = ~S|(module (func (export "run")) (func (export "add") (param i32)))|
      compiled = compile!(source)
      assert Vitrine.function_exists?(compiled, "run")
      refute Vitrine.function_exists?(compiled, "add")
      refute Vitrine.function_exists?(compiled, "walk")
    end
  end

  describe "compiling" do
    @tag :slow
    test "a hundred modules at once leaves the schedulers alone" do
      # Each is different, and none in use: all of them are compiled.
      functions = for n <- 1..200, do: "(func (export \"f#{n}\") (result i32) (i32.const #{n}))"
      seed = System.unique_integer([:positive])

      compiling =
        for n <- 1..100 do
          Task.async(fn ->
            compile!("(module #{functions} (global i32 (i32.const #{seed + n})))")
          end)
        end

      # Processes take turns many times before all is compiled.
      for _ <- 1..20, do: Task.await(Task.async(fn -> :ok end), 60_000)
      assert Enum.any?(compiling, &Process.alive?(&1.pid))
      assert compiling |> Task.await_many(60_000) |> Enum.uniq_by(& &1.hash) |> length() == 100
    end
  end
end
