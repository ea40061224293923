defmodule Vitrine.Loader.SnapshotTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.HostFunction

  @moduletag :capture_log

  # `value` returns what the initialisers and `init` have added up; `trap` traps after a change.
  @counter ~S"""
  (module
    (global $n (mut i32) (i32.const 0))
    (func $add (param i32) (global.set $n (i32.add (global.get $n) (local.get 0))))
    (func $start (call $add (i32.const 1)))
    (start $start)
    (func (export "_initialize") (call $add (i32.const 10)))
    (func (export "init") (call $add (i32.const 100)))
    (func (export "value") (result i32) (global.get $n))
    (func (export "trap") (call $add (i32.const 1000)) unreachable)
    (func (export "fail") (result i32) (i32.const 7))
    (func (export "spin") (loop (br 0)))
    (func (export "takes") (param i32)))
  """

  # `init` asks the host function `tick`, and `value` returns its answer.
  @asking ~S"""
  (module
    (import "extism:host/user" "tick" (func $tick (param i64) (result i64)))
    (global $n (mut i64) (i64.const 0))
    (func (export "init") (global.set $n (call $tick (i64.const 1))))
    (func (export "forever") (loop (drop (call $tick (i64.const 1))) (br 0)))
    (func (export "value") (result i32) (i32.wrap_i64 (global.get $n))))
  """

  @wasi ~S"""
  (module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
      (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\nfile")
    (func $now (result i64)
      (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 64)))
      (i64.load (i32.const 64)))
    (func (export "exit") (call $exit (i32.const 0)))
    (func (export "print") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 80))))
    (func (export "seed") (drop (call $random (i32.const 32) (i32.const 4))))
    (func (export "seeded") (result i32) (i32.load (i32.const 32)))
    (func (export "wait") (local $end i64)
      (local.set $end (i64.add (call $now) (i64.const 100000000)))
      (loop (br_if 0 (i64.lt_u (call $now) (local.get $end))))
      (i64.store (i32.const 40) (call $now)))
    (func (export "went_back") (result i32)
      (i64.lt_u (call $now) (i64.load (i32.const 40))))
    (func (export "open") (result i32)
      (call $open (i32.const 3) (i32.const 0) (i32.const 14) (i32.const 4) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 96)))
    (func (export "open_directory") (result i32)
      (call $open (i32.const 3) (i32.const 0) (i32.const 14) (i32.const 4) (i32.const 2)
        (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 96))))
  """

  defp compile!(source, options) do
    assert {:ok, compiled} = Vitrine.compile(source, options)
    compiled
  end

  defp tick(function), do: HostFunction.new("tick", [:i64], :i64, function)

  defp code({:ok, ""}), do: 0
  defp code(result), do: error!(result).code
  defp value(plugin), do: code(Vitrine.call(plugin, "value"))

  describe "compile/2 with :snapshot fails" do
    test "if the function is missing, or is not a plugin function" do
      for {function, message} <- [
            {"walk", ~s(the plugin has no function "walk"; its functions are )},
            {"takes",
             ~s(the function "takes" has 1 parameter; a plugin function has no parameters)}
          ] do
        error = error!(Vitrine.compile(@counter, snapshot: function, name: "p"))
        assert error.reason == :function_not_found
        assert String.starts_with?(error.message, message)
        assert {error.plugin, error.function} == {"p", function}
      end
    end

    test "with the error of a call if the initialisation traps, fails or does not end" do
      for {function, reason} <- [{"trap", :trap}, {"fail", :guest_error}, {"spin", :timeout}] do
        timeout = if reason == :timeout, do: 200, else: 60_000
        error = error!(Vitrine.compile(@counter, snapshot: function, timeout: timeout))
        assert {error.reason, error.function} == {reason, function}
      end

      for {guest, reason} <- [
            {"trapping_start", :trap},
            {"infinite_start", :timeout},
            {"initialize_traps", :trap}
          ],
          snapshot <- [true, "noop"] do
        # One of them has no such function, and does not come so far.
        options = [snapshot: snapshot, timeout: if(reason == :timeout, do: 200, else: 60_000)]
        expected = if {guest, snapshot} == {"initialize_traps", "noop"}, do: :function_not_found
        assert reason(Vitrine.compile(wat(guest), options)) == expected || reason
      end
    end

    test "at the deadline, which initialisers and function share" do
      assert reason(Vitrine.compile(@counter, snapshot: "spin", timeout: 100)) == :timeout
      assert reason(Vitrine.compile(@counter, snapshot: "init", timeout: 0)) == :timeout
    end

    test "if the fuel is used up" do
      for guest <- ["fuel_start", "fuel_initialize", "fuel_ctors"] do
        options = [snapshot: true, fuel: 1_000, init_fuel: 1_000]
        assert reason(Vitrine.compile(wat(guest), options)) == :fuel
        assert %{} = compile!(wat(guest), Keyword.put(options, :init_fuel, 10_000_000))
      end
    end

    test "if the plugin ends itself" do
      error = error!(Vitrine.compile(@wasi, snapshot: "exit", wasi: true))
      assert {error.reason, error.message =~ "no instance is left"} == {:snapshot, true}
      # Also where instances are kept otherwise.
      options = [snapshot: "exit", wasi: true, on_trap: :keep]
      assert reason(Vitrine.compile(@wasi, options)) == :snapshot
      assert reason(Vitrine.compile(wat("command_with_globals"), snapshot: "_start")) == :snapshot
    end

    test "if a host function fails or is missing" do
      options = &[snapshot: "init", host_functions: [tick(&1)]]
      error = error!(Vitrine.compile(@asking, options.(fn _ -> raise "no" end)))
      assert {error.reason, error.exception} == {:host_function, %RuntimeError{message: "no"}}
      assert reason(Vitrine.compile(@asking, snapshot: "init")) == :link
    end

    test "if HTTP is not granted" do
      source = wat("http")
      assert reason(Vitrine.compile(source, snapshot: "get")) in [:http, :guest_error, :trap]
    end

    test "if the plugin has state that a snapshot cannot keep" do
      source = ~S|(module (table 1 funcref)
        (func (export "run") (table.set (i32.const 0) (ref.null func))))|

      error = error!(Vitrine.compile(source, snapshot: true, name: "p"))

      assert Exception.message(error) ==
               ~s|plugin "p": no snapshot can be taken of the plugin: its code has the | <>
                 "instruction table.set, and changes of tables are not kept"
    end

    @tag :tmp_dir
    test "if a file is left open", %{tmp_dir: directory} do
      File.write!(Path.join(directory, "file"), "text")
      options = [wasi: true, allowed_paths: %{directory => "/"}]

      for function <- ["open", "open_directory"] do
        if function == "open_directory" do
          File.rm!(Path.join(directory, "file"))
          File.mkdir!(Path.join(directory, "file"))
        end

        error = error!(Vitrine.compile(@wasi, [snapshot: function] ++ options))

        assert {error.reason, error.message =~ "left a file or a directory open"} ==
                 {:snapshot, true}
      end

      assert %{} = compile!(@wasi, [snapshot: "print"] ++ options)
    end

    test "if there are several modules" do
      module = &%{"data" => Base.encode64(@counter), "name" => &1}
      manifest = %{"wasm" => [module.("library"), module.("main")]}
      error = error!(Vitrine.compile(manifest, snapshot: true))
      assert {error.reason, error.message =~ "it has 2 modules"} == {:snapshot, true}
      assert {:ok, _} = Vitrine.compile(manifest, snapshot: false)
    end

    test "if the memory that it begins with is more than its limit" do
      source = ~S|(module (memory 2)
        (func (export "_initialize") (drop (memory.grow (i32.const 2)))))|

      assert reason(Vitrine.compile(source, snapshot: true, memory: [max_pages: 3])) ==
               :out_of_memory

      compiled = compile!(source, snapshot: true, memory: [max_pages: 4])
      assert %{} = new!(compiled)
      assert reason(Vitrine.new(compiled, memory: [max_pages: 3])) == :out_of_memory
    end

    test "before anything runs, if the contract is not kept" do
      options = [snapshot: true, timeout: :infinity, requires: [exports: ["missing"]]]
      assert reason(Vitrine.compile(wat("infinite_start"), options)) == :contract
    end

    test "by raising for a value that is not a name" do
      for wrong <- ["", :init, nil, 1, ["init"]] do
        message = ~r/expected :snapshot to be true, false or the name of a function/
        assert_raise ArgumentError, message, fn -> Vitrine.compile(@counter, snapshot: wrong) end
      end
    end

    test "when the process that waits for it ends" do
      test = self()

      pid =
        spawn(fn ->
          tick = fn n ->
            send(test, :tick)
            n
          end

          options = [snapshot: "forever", host_functions: [tick(tick)], timeout: :infinity]
          Vitrine.compile(@asking, options)
        end)

      assert_receive :tick
      Process.exit(pid, :kill)
      eventually(fn -> not Process.alive?(pid) end)
      flush(:tick)
      refute_receive :tick, 50
    end
  end

  defp flush(message) do
    receive do
      ^message -> flush(message)
    after
      0 -> :ok
    end
  end

  describe "compile/2 with :snapshot" do
    test "initialises once, and no instance again" do
      for {snapshot, expected} <- [{false, 11}, {true, 11}, {"init", 111}] do
        compiled = compile!(@counter, snapshot: snapshot)
        {one, other} = {new!(compiled), new!(compiled)}
        assert {value(one), value(other)} == {expected, expected}
        assert code(Vitrine.run(compiled, "value")) == expected

        # Later changes of an instance are its own.
        Vitrine.call(one, "init")
        assert {value(one), value(other)} == {expected + 100, expected}
        assert Vitrine.reset(one) == :ok
        assert value(one) == expected
        assert reason(Vitrine.call(one, "trap")) == :trap
        assert value(one) == expected
      end
    end

    test "is the same plugin: name, hash, functions" do
      {plain, compiled} = {compile!(@counter, []), compile!(@counter, snapshot: true)}
      assert {compiled.name, compiled.hash} == {plain.name, plain.hash}
      assert compiled.interface == plain.interface
      assert Vitrine.function_exists?(new!(compiled), "_initialize")
    end

    test "runs host functions and logs once, in the process that compiles" do
      test = self()

      tick = fn n, context ->
        send(test, {:tick, self(), context})
        n + 41
      end

      compiled = compile!(@asking, snapshot: "init", host_functions: [tick(tick)], context: :once)

      assert_received {:tick, ^test, :once}
      assert Task.await(Task.async(fn -> value(new!(compiled)) end), 60_000) == 42
      refute_received {:tick, _, _}
    end

    test "logs what is printed meanwhile" do
      log = capture_log(fn -> compile!(@wasi, snapshot: "print", wasi: true) end)
      assert log =~ "hello"
    end

    test "keeps the variables that were set as those that instances begin with" do
      source = File.read!(wat("kitchen_sink"))
      options = [host_functions: host_functions(), snapshot: "count_vowels"]
      compiled = compile!(source, options)
      one = new!(compiled)
      assert Vitrine.vars(one) == %{"total" => <<0::32>>}
      assert {:ok, _} = Vitrine.call(one, "count_vowels", "aeiou")
      assert Vitrine.vars(one) == %{"total" => <<5::32-little>>}
      assert Vitrine.vars(new!(compiled)) == %{"total" => <<0::32>>}
      assert Vitrine.reset(one) == :ok
      assert Vitrine.vars(one) == %{"total" => <<5::32-little>>}
      assert {:ok, json} = Vitrine.run(compiled, "count_vowels", "aei")
      assert json =~ ~s("total":3)
      assert reason(Vitrine.new(compiled, memory: [max_var_bytes: 0])) == :vars
      assert {:ok, small} = Vitrine.compile(compiled, memory: [max_var_bytes: 0])
      assert reason(Vitrine.run(small, "echo")) == :vars
    end

    test "keeps random numbers: all instances have the same" do
      compiled = compile!(@wasi, snapshot: "seed", wasi: true)
      [one, other] = for _ <- 1..2, do: code(Vitrine.run(compiled, "seeded"))
      assert one == other
      assert code(Vitrine.run(compile!(@wasi, snapshot: "seed", wasi: true), "seeded")) != one
    end

    test "does not turn the monotonic clock back" do
      compiled = compile!(@wasi, snapshot: "wait", wasi: true)
      assert code(Vitrine.run(compiled, "went_back")) == 0
    end

    test "emits an event" do
      test = self()

      on_exit(fn -> Vitrine.Telemetry.detach({__MODULE__, test}) end)

      Vitrine.Telemetry.attach({__MODULE__, test}, fn event, measurements, metadata ->
        if self() == test, do: send(test, {event, measurements, metadata})
      end)

      compile!(@counter, snapshot: "init", name: "p")
      Vitrine.compile(@counter, snapshot: "trap", name: "q")
      event = [:vitrine, :snapshot, :stop]
      assert_received {^event, %{duration: duration}, %{plugin: "p", result: :ok, error: nil}}
      assert duration > 0
      assert_received {^event, _, %{plugin: "q", result: :error, error: %{reason: :trap}}}
      refute_received {[:vitrine, :call, _], _, _}
    end
  end

  describe "a snapshot's options" do
    test "may differ, except those that it was taken with" do
      compiled = compile!(@counter, snapshot: "init", name: "p")
      assert value(new!(compiled, snapshot: "init", timeout: 100)) == 111

      for {compiled, snapshot, expected} <- [
            {compiled, true, ~r/the option :snapshot to be "init", as when #Vitrine.Compiled<p/},
            {compiled, false, ~r/the option :snapshot to be "init"/},
            {compile!(@counter, []), true, ~r/the option :snapshot to be false/}
          ] do
        assert_raise ArgumentError, expected, fn -> Vitrine.new(compiled, snapshot: snapshot) end
      end
    end

    @tag :tmp_dir
    test "give other directories under the same names", %{tmp_dir: directory} do
      [one, other] = for name <- ["b", "a"], do: Path.join(directory, name)
      for path <- [one, other], do: File.mkdir!(path)
      File.write!(Path.join(other, "file"), "")
      options = [wasi: true, snapshot: "print", allowed_paths: %{one => "/x", other => "/y"}]
      compiled = compile!(@wasi, options)

      # The first descriptor is that of the first name, wherever it leads to.
      noent = 44
      assert code(Vitrine.call(new!(compiled), "open")) == noent
      swapped = %{one => "/y", other => "/x"}
      assert code(Vitrine.call(new!(compiled, allowed_paths: swapped), "open")) == 0

      for paths <- [%{}, %{one => "/x"}, %{one => "/x", other => "/z"}] do
        assert_raise ArgumentError, ~r/:allowed_paths to be directories .*\["\/x", "\/y"\]/, fn ->
          Vitrine.new(compiled, allowed_paths: paths)
        end
      end
    end

    test "are told by inspect_plugin/2" do
      assert {:ok, %{refused: []}} = Vitrine.inspect_plugin(@counter, snapshot: "init")
      assert {:ok, %{refused: [refused]}} = Vitrine.inspect_plugin(@counter, snapshot: "walk")
      assert refused =~ ~s(the plugin has no function "walk"; its functions are )
    end
  end

  describe "a snapshot" do
    test "can be an option of new/2, of a server and of a pool" do
      assert value(new!(@counter, snapshot: "init")) == 111
      server = start_supervised!({Vitrine.Server, source: @counter, snapshot: "init"})
      assert value(server) == 111
      assert reason(Vitrine.call(server, "trap")) == :trap
      assert value(server) == 111
      pool = start_supervised!({Vitrine.Pool, source: @counter, snapshot: "init", size: 2})
      assert value(pool) == 111
    end

    test "can be what a pool is upgraded to" do
      pool = start_supervised!({Vitrine.Pool, source: @counter, size: 2})
      assert value(pool) == 11
      assert Vitrine.Pool.upgrade(pool, compile!(@counter, snapshot: "init")) == :ok
      assert for(_ <- 1..4, do: value(pool)) == [111, 111, 111, 111]
      assert Vitrine.Pool.upgrade(pool, @counter, snapshot: true) == :ok
      assert value(pool) == 11
      error = error!(Vitrine.Pool.upgrade(pool, @counter, snapshot: "trap"))
      assert error.reason == :trap
      assert value(pool) == 11
    end
  end

  describe "the runtime of a language" do
    @describetag timeout: 300_000

    @tag :slow
    test "JavaScript: QuickJS and the plugin's globals are there" do
      options = [host_functions: host_functions(), snapshot: "counter"]
      compiled = compile!(wasm("javascript"), options)
      assert Vitrine.run(compiled, "counter") == {:ok, "2"}
      plugin = new!(compiled)
      assert for(_ <- 1..2, do: Vitrine.call(plugin, "counter")) == [ok: "2", ok: "3"]
    end

    test "C and C++: constructors ran once" do
      # A constructor sets it to 100.
      compiled = compile!(wasm("c_wasi"), wasi: true, snapshot: true)
      assert Vitrine.run(compiled, "counter") == {:ok, "101"}
      compiled = compile!(wat("ctors"), snapshot: true)
      assert Vitrine.run(compiled, "value") == {:ok, "1"}
      compiled = compile!(wat("haskell"), snapshot: true)
      assert Vitrine.run(compiled, "value") == {:ok, "12"}
    end
  end
end
