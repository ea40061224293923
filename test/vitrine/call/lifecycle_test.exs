defmodule Vitrine.Call.LifecycleTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  describe "initialising" do
    test "calls _initialize" do
      assert Vitrine.call(new!(wat("initialize")), "value") == {:ok, "42"}
    end

    test "calls constructors, and then not _initialize" do
      assert Vitrine.call(new!(wat("ctors")), "value") == {:ok, "1"}
    end

    test "calls _initialize and hs_init for Haskell, and no constructors" do
      assert Vitrine.call(new!(wat("haskell")), "value") == {:ok, "12"}
    end

    test "runs a WASI reactor's own initialiser" do
      plugin = guest!("c_wasi", wasi: true)
      assert Vitrine.call(plugin, "counter") == {:ok, "101"}
    end

    test "that fails makes new/2 answer with the error" do
      for name <- ~w(trapping_start initialize_traps) do
        error = error!(Vitrine.new(wat(name)))
        assert {error.reason, error.plugin} == {:trap, name}
      end
    end

    test "ends at the deadline" do
      assert reason(Vitrine.new(wat("infinite_start"), timeout: 50)) == :timeout
      manifest = %{wasm: [%{path: wat("infinite_start")}], timeout_ms: 50}
      assert reason(Vitrine.new(manifest)) == :timeout
    end

    test "happens again for the instance that follows a trap" do
      plugin = new!(initialised_once())
      assert Vitrine.call(plugin, "value") == {:ok, "i"}
      assert reason(Vitrine.call(plugin, "trap")) == :trap
      assert Vitrine.call(plugin, "value") == {:ok, "i"}
    end

    test "that fails for a later instance leaves no instance" do
      # The start function calls the host, which lets it pass once.
      me = self()
      allowed = :counters.new(1, [])

      hello = fn _ ->
        :counters.add(allowed, 1, 1)
        send(me, :started)
        if :counters.get(allowed, 1) in [2, 3], do: raise("not now"), else: "12345678"
      end

      plugin = new!(wat("host_in_start"), host_functions: %{"hello" => hello})
      assert Vitrine.call(plugin, "value") == {:ok, "8"}
      Vitrine.reset(plugin)
      assert reason(Vitrine.call(plugin, "value")) == :host_function
      assert reason(Vitrine.call(plugin, "value")) == :host_function
      assert Vitrine.call(plugin, "value") == {:ok, "8"}
      for _ <- 1..4, do: assert_received(:started)
      refute_received :started
    end

    # A module whose initialiser sets what `value` outputs.
    defp initialised_once do
      ~S"""
      (module
        (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
        (import "extism:host/env" "output_set" (func $output (param i64 i64)))
        (global $letter (mut i32) (i32.const 63))
        (func (export "_initialize") (global.set $letter (i32.const 105)))
        (func (export "trap") unreachable)
        (func (export "value") (local $p i64)
          (local.set $p (call $alloc (i64.const 1)))
          (call $store (local.get $p) (global.get $letter))
          (call $output (local.get $p) (i64.const 1))))
      """
    end
  end

  describe "after a trap" do
    test "the next call has a fresh instance, with the variables kept" do
      plugin = guest!("rust")
      Vitrine.call!(plugin, "var_set", "k=v")
      assert for(_ <- 1..2, do: Vitrine.call!(plugin, "counter")) == ["1", "2"]
      assert reason(Vitrine.call(plugin, "unreachable")) == :trap
      assert Vitrine.call!(plugin, "counter") == "1"
      assert Vitrine.call!(plugin, "var_get", "k") == "v"
    end

    test "on_trap: :keep keeps the instance" do
      plugin = new!(wat("globals"), on_trap: :keep)
      assert Vitrine.call!(plugin, "counter") == "1"
      assert reason(Vitrine.call(plugin, "trap")) == :trap
      assert Vitrine.call!(plugin, "counter") == "2"
    end

    test "an error that the plugin reports keeps it in any case" do
      plugin = guest!("rust")
      assert Vitrine.call!(plugin, "counter") == "1"
      assert reason(Vitrine.call(plugin, "fail", "no")) == :guest_error
      assert Vitrine.call!(plugin, "counter") == "2"
    end
  end

  describe "_start" do
    test "ends the program, and the next call has a fresh instance" do
      plugin =
        new!(~S"""
        (module
          (global $calls (mut i32) (i32.const 0))
          (func (export "_start") (global.set $calls (i32.const 7)))
          (func (export "calls") (result i32) (global.get $calls)))
        """)

      assert Vitrine.call(plugin, "_start") == {:ok, ""}
      assert Vitrine.call(plugin, "calls") == {:ok, ""}
    end
  end

  describe "WASI" do
    test "cannot be imported unless it is granted" do
      error = error!(Vitrine.new(wasm("c_wasi")))
      assert error.reason == :link
      assert error.message =~ "wasi: true"
    end

    test "has clocks and random numbers" do
      plugin = guest!("c_wasi", wasi: true)
      now = String.to_integer(Vitrine.call!(plugin, "now"))
      assert_in_delta now, System.os_time(:millisecond), 60_000
      first = Vitrine.call!(plugin, "random")
      assert byte_size(first) == 8
      assert Vitrine.call!(plugin, "random") != first
    end

    test "drops what is printed where that is wanted" do
      plugin = guest!("c_wasi", wasi: [stdout: :drop])
      assert {{:ok, ""}, [%{kind: :call}]} = Vitrine.trace(plugin, "print", "hello")
    end

    test "an exit with a code is an error, one with 0 is not" do
      plugin = guest!("c_wasi", wasi: true)
      error = error!(Vitrine.call(plugin, "exit_with", "3"))
      assert {error.reason, error.code} == {:exit, 3}
      assert Vitrine.call(plugin, "exit_with", "0") == {:ok, ""}
      assert Vitrine.call(plugin, "counter") == {:ok, "101"}
    end

    test "sleeping takes no less than the time it should" do
      plugin = guest!("c_wasi", wasi: true)
      {microseconds, result} = :timer.tc(fn -> Vitrine.call(plugin, "sleep_ms", "300") end)
      assert {:ok, _} = result
      assert microseconds >= 300_000
    end

    test "sleeping obeys the timeout and the death of the caller" do
      plugin = guest!("c_wasi", wasi: true)
      assert reason(Vitrine.call(plugin, "sleep_ms", "60000", timeout: 30)) == :timeout
      caller = spawn(fn -> Vitrine.call(plugin, "sleep_ms", "60000", timeout: :infinity) end)
      eventually(fn -> match?({:error, %{reason: :busy}}, Vitrine.reset(plugin)) end)
      Process.exit(caller, :kill)
      eventually(fn -> Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"} end)
    end
  end
end
