defmodule Vitrine.Conformance.UpstreamDefectsTest do
  # Tests what the reference host gets wrong and this one must not. Circles of imports, libraries called
  # ten thousand times and modules with both start functions are among the tests of linking.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  test "a timeout or a cancel of one instance leaves its siblings alone" do
    [one, two, three] = for _ <- 1..3, do: new!(wat("spin"))

    sibling =
      Task.async(fn -> :timer.tc(fn -> Vitrine.call(three, "spin", "", timeout: 600) end) end)

    assert reason(Vitrine.call(one, "spin", "", timeout: 50)) == :timeout
    spinning = running!(two, "spin")
    Vitrine.cancel(two)
    eventually(fn -> not Process.alive?(spinning) end)
    {time, result} = Task.await(sibling, 60_000)
    assert reason(result) == :timeout
    # It had all of its time.
    assert time >= 600_000
  end

  test "a start function or an initialiser without end is stopped by the timeout" do
    assert reason(Vitrine.new(wat("infinite_start"), timeout: 50)) == :timeout

    initialise = ~S|(module (func (export "_initialize") (loop (br 0))))|
    assert reason(Vitrine.new(initialise, timeout: 50)) == :timeout
    assert reason(Vitrine.new(initialise, fuel: 10_000)) == :fuel
  end

  test "a start function without end is stopped when its process ends" do
    loader = spawn(fn -> Vitrine.new(wat("infinite_start"), timeout: :infinity) end)
    Process.sleep(100)
    Process.exit(loader, :kill)
    eventually(fn -> not Process.alive?(loader) end)
  end

  test "the main module is instantiated once" do
    test = self()

    started = fn _ ->
      send(test, :started)
      ""
    end

    new!(wat("host_in_start"), host_functions: hello(started))
    assert_received :started
    refute_received :started
  end

  test "a plugin whose initialisation failed is not called" do
    assert reason(Vitrine.new(wat("initialize_traps"))) == :trap
  end

  test "host functions with parameters can be called while a plugin is made" do
    plugin = new!(wat("host_in_start"), host_functions: hello(&("hello " <> &1)))
    assert Vitrine.call(plugin, "value") == {:ok, "#{byte_size("hello starting")}"}
  end

  defp hello(function) do
    [Vitrine.HostFunction.new("hello", [:binary], :binary, function)]
  end

  test "a plugin that is called by its own host function says :busy" do
    {:ok, holder} = Agent.start_link(fn -> nil end)

    again = fn _ ->
      {:error, error} = Vitrine.call(Agent.get(holder, & &1), "reflect", "again")
      "#{error.reason}"
    end

    plugin = new!(wat("reflect"), host_functions: %{"host_reflect" => again})
    Agent.update(holder, fn _ -> plugin end)
    assert Vitrine.call(plugin, "reflect", "x") == {:ok, "busy"}
  end

  test "a timeout of 0 ms is a timeout" do
    plugin = new!(wat("spin"))
    for _ <- 1..200, do: assert(reason(Vitrine.call(plugin, "spin", "", timeout: 0)) == :timeout)
    for _ <- 1..50, do: assert(reason(Vitrine.call(plugin, "spin", "", timeout: 1)) == :timeout)
    manifest = %{wasm: [%{path: wat("spin")}], timeout_ms: 0}
    assert reason(Vitrine.new(manifest)) == :timeout
  end

  test "the cause of a failure is in the error" do
    plugin =
      guest!("rust", host_functions: %{"greet" => fn _ -> raise ArgumentError, "the cause" end})

    error = error!(Vitrine.call(plugin, "greet", "x"))
    assert error.exception == %ArgumentError{message: "the cause"}
    assert Exception.message(error) =~ "the cause"

    invalid = ~S"""
    (module (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
      (func (export "run") (drop (call $var_get (i64.const 12345)))))
    """

    error = error!(Vitrine.call(new!(invalid), "run"))
    assert error.message =~ "invalid handle offset for var key: 12345"
  end

  test "an error with the return code 0 is an error" do
    error = error!(Vitrine.call(new!(wat("error_and_rc0")), "error_and_rc0"))
    assert {error.reason, error.message, error.code} == {:guest_error, "something is wrong", 0}
  end

  describe "a block that a guest forges" do
    @forger ~S"""
    (module
      (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "input_set" (func $input (param i64 i64)))
      (import "extism:host/env" "error_set" (func $error (param i64)))
      (import "extism:host/env" "free" (func $free (param i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
      (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
      (import "extism:host/env" "log_error" (func $log (param i64)))
      (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
      (func (export "output") (call $output (i64.const -1) (i64.const -1))
        (call $output (i64.const 64) (i64.const -1))
        (call $output (i64.const 0x7fffffffffffffff) (i64.const 9)))
      (func (export "input") (call $input (i64.const -8) (i64.const 100)))
      (func (export "error") (call $error (i64.const -1)) (call $error (i64.const 999999999)))
      (func (export "handles") (call $free (i64.const -1)) (call $free (i64.const 3))
        (drop (call $length (i64.const -1))) (drop (call $load (i64.const -1))))
      (func (export "header") (local $i i64)
        (loop $next
          (call $store (local.get $i) (i64.const -1))
          (local.set $i (i64.add (local.get $i) (i64.const 8)))
          (br_if $next (i64.lt_u (local.get $i) (i64.const 2400000)))))
      (func (export "huge") (if (i64.ne (call $alloc (i64.const -9)) (i64.const 0)) (then unreachable)))
      (func (export "log") (call $log (i64.const 777777777)))
      (func (export "host") (drop (call $greet (i64.const 0x100000000)))))
    """

    test "is ignored" do
      plugin = new!(@forger, host_functions: host_functions())

      for function <- ["output", "input", "error", "handles", "header"] do
        assert Vitrine.call(plugin, function, "input") == {:ok, ""}
      end

      assert {:error, %{reason: reason}} = Vitrine.call(plugin, "host")
      assert reason in [:trap, :host_function]

      assert match?({:ok, ""}, Vitrine.call(plugin, "huge")) or
               reason(Vitrine.call(plugin, "huge")) == :out_of_memory

      assert Vitrine.call(plugin, "output", "still works") == {:ok, ""}
    end
  end
end
