defmodule Vitrine.Call.HostileSizesTest do
  # Everything that a guest can make large and the host has to show, copy or parse has a bound.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  defp module(body, memory \\ "") do
    """
    (module
      (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
      (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
      (import "extism:host/env" "error_set" (func $error (param i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "http_request" (func $http (param i64 i64) (result i64)))
      (import "extism:host/user" "f" (func $f (param i64 i64 i64 i64)))
      #{memory}
      #{body})
    """
  end

  defp load!(source, options \\ []) do
    new!(source, Keyword.merge([host_functions: %{"f" => fn _, _, _, _ -> "" end}], options))
  end

  test "an error message is cut, and says by how much" do
    plugin =
      load!(
        module("""
        (func (export "run") (result i32) (local $at i64)
          (local.set $at (call $alloc (i64.const 1000000)))
          (call $store (local.get $at) (i32.const 120))
          (call $error (local.get $at))
          (i32.const 1))
        (func (export "trap")
          (call $error (call $alloc (i64.const 1000000)))
          (unreachable))
        """)
      )

    for function <- ["run", "trap"] do
      error = error!(Vitrine.call(plugin, function))
      assert byte_size(error.message) < 70_000
      assert error.message =~ "… (934464 bytes more)"
    end
  end

  test "names of functions in a backtrace are cut" do
    name = String.duplicate("n", 100_000)
    plugin = new!(~s|(module (func $#{name} (export "run") unreachable))|)
    assert [%{function: function}] = error!(Vitrine.call(plugin, "run")).backtrace
    assert byte_size(function) < 300
    assert function =~ "… (99744 bytes more)"
  end

  test "the JSON of an HTTP request is refused before it is parsed" do
    plugin =
      load!(
        module("""
        (func (export "run")
          (drop (call $http (call $alloc (i64.const 2000000)) (i64.const 0))))
        """),
        allowed_hosts: ["*"]
      )

    error = error!(Vitrine.call(plugin, "run"))
    assert error.reason == :http
    assert error.message =~ "without its body has 2000000 bytes; the limit is 1048576 bytes"
  end

  test "the arguments of a host function are bounded together" do
    plugin =
      load!(
        module("""
        (func (export "run") (local $at i64)
          (local.set $at (call $alloc (i64.const 500000)))
          (call $f (local.get $at) (local.get $at) (local.get $at) (local.get $at)))
        """),
        limits: [output_bytes: 1_000_000]
      )

    error = error!(Vitrine.call(plugin, "run"))
    assert error.reason == :trap

    assert error.message =~
             "f have 1500000 bytes together; the limit is that of outputs, 1000000 bytes"
  end

  test "a large output that its caller does not live to take frees the server" do
    source =
      module("""
      (func (export "run") (call $output (call $alloc (i64.const 500000)) (i64.const 500000)))
      """)

    options = [source: source, host_functions: %{"f" => fn _, _, _, _ -> "" end}]
    server = start_supervised!({Vitrine.Server, options})
    test = self()

    client =
      spawn(fn ->
        request = %Vitrine.Process.Request{function: "run", input: "", timeout: 5_000}
        send(test, GenServer.call(server, request))
        Process.sleep(:infinity)
      end)

    # It ended within its first slice, all that is left to do is to take the output; or that ended before, on a
    # machine that does much else.
    assert_receive {:lease, _tag, _frame, {step, _call}, _saves?}
    assert step in [:output, :slice]
    Process.exit(client, :kill)
    assert {:ok, output} = Vitrine.call(server, "run", "", timeout: 60_000)
    assert byte_size(output) == 500_000
  end
end
