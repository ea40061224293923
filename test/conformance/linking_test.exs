defmodule Vitrine.Conformance.LinkingTest do
  # Plugins of several modules, as manifests make them.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  @doc "A manifest of a main module and libraries, by the names they are imported by."
  def manifest(main, libraries) do
    libraries = for {name, guest} <- libraries, do: %{path: wat(guest), name: name}
    %{wasm: [%{path: wat(main), name: "main"} | libraries]}
  end

  defp call(plugin, function, input \\ "") do
    assert {:ok, output} = Vitrine.call(plugin, function, input)
    output
  end

  describe "libraries" do
    test "of the command kind begin anew with each call, reactors keep their state" do
      libraries = [{"command", "link_command"}, {"reactor", "link_reactor"}]
      plugin = new!(manifest("link_main", libraries), wasi: true)
      for _ <- 1..5, do: assert(call(plugin, "command") == "11")
      assert for(_ <- 1..3, do: call(plugin, "reactor")) == ["101", "102", "103"]
    end

    test "outlive any number of calls" do
      libraries = [{"command", "link_command"}, {"reactor", "link_reactor"}]
      plugin = new!(manifest("link_main", libraries), wasi: true)
      for _ <- 1..10_500, do: assert(call(plugin, "command") == "11")
    end

    test "share memories, globals and tables" do
      plugin = new!(manifest("link_shared_main", [{"shared", "link_shared"}]))
      assert call(plugin, "memory") == "1234"
      assert [call(plugin, "global"), call(plugin, "global")] == ["7", "14"]
      assert call(plugin, "table") == "42"
    end

    test "come in any order, and the last is main if none is named so" do
      sources = [
        %{path: wat("link_shared"), name: "shared"},
        %{path: wat("link_shared_main"), name: "app"}
      ]

      assert call(new!(%{wasm: sources}), "memory") == "1234"

      assert call(new!(manifest("link_shared_main", [{"shared", "link_shared"}])), "memory") ==
               "1234"
    end

    test "have the same names with a reset as at first" do
      plugin = new!(manifest("link_shared_main", [{"shared", "link_shared"}]))
      assert call(plugin, "global") == "7"
      assert Vitrine.reset(plugin) == :ok
      assert call(plugin, "global") == "7"
    end
  end

  describe "a command that grows its memory in each call" do
    @grows """
    (module (memory (export "memory") 2) (global $grown (mut i32) (i32.const 0))
      (func (export "_start"))
      (func (export "grow") (result i32) (local i32)
        (local.set 0 (memory.grow (i32.const 3)))
        (i32.store (i32.const 327676) (i32.const 7))
        (i32.add (i32.mul (local.get 0) (i32.const 10)) (memory.size))))
    """

    @calls """
    (module (import "lib" "grow" (func $grow (result i32))) (func (export "run") (result i32)
      (i32.sub (call $grow) (i32.const 25))))
    """

    test "finds it as large as at first, and comes to no limit in 10 000 calls" do
      manifest = %{wasm: [%{name: "main", data: @calls}, %{name: "lib", data: @grows}]}
      plugin = new!(manifest, memory: [max_pages: 20])
      assert call(plugin, "run") == ""
      memory = Vitrine.stats(plugin).memory_bytes
      for _ <- 1..10_000, do: assert(call(plugin, "run") == "")
      assert Vitrine.stats(plugin).memory_bytes == memory
    end
  end

  describe "a command that grows its table in each call" do
    @adds """
    (module (table 1 funcref) (elem declare func $f) (func $f) (func (export "_start"))
      (func (export "add") (result i32) (local i32)
        (if (i32.gt_u (table.size) (i32.const 1))
          (then (local.set 0 (i32.eqz (ref.is_null (table.get (i32.const 1)))))))
        (drop (table.grow (ref.func $f) (i32.const 1)))
        (local.get 0)))
    """

    @asks """
    (module (import "lib" "add" (func $add (result i32))) (func (export "run") (result i32) (call $add)))
    """

    test "does not find the elements that the call before added" do
      plugin = new!(%{wasm: [%{name: "main", data: @asks}, %{name: "lib", data: @adds}]})
      for _ <- 1..3, do: assert(call(plugin, "run") == "")
    end
  end

  describe "a library that loops" do
    for {kind, export} <- [command: ~S|(func (export "_start"))|, reactor: ""] do
      test "as a #{kind} ends at the timeout, with a cancel and with its process" do
        manifest = %{
          wasm: [
            %{
              name: "main",
              data: ~S"""
              (module (import "lib" "spin" (func $spin)) (import "lib" "f" (func $f))
                (func (export "spin") (call $spin)) (func (export "f") (call $f)))
              """
            },
            %{
              name: "lib",
              data: """
              (module (func (export "spin") (loop (br 0))) (func (export "f"))
                #{unquote(export)})
              """
            }
          ]
        }

        plugin = new!(manifest)

        for _ <- 1..3,
            do: assert(reason(Vitrine.call(plugin, "spin", "", timeout: 20)) == :timeout)

        assert Vitrine.call(plugin, "f") == {:ok, ""}

        caller = running!(plugin, "spin")
        Vitrine.cancel(plugin)
        eventually(fn -> not Process.alive?(caller) end)

        caller = running!(plugin, "spin")
        Process.exit(caller, :kill)
        eventually(fn -> Vitrine.call(plugin, "f") == {:ok, ""} end)
      end
    end
  end

  describe "a module's exports come before the host's functions:" do
    @functions [
      Vitrine.HostFunction.new(
        "greet",
        [:binary],
        :binary,
        &Vitrine.Conformance.LinkingTest.hello/1
      ),
      Vitrine.HostFunction.new("tick", [:i64], :i64, &Vitrine.Conformance.LinkingTest.next/1)
    ]
    def hello(name), do: "hello " <> name
    def next(n), do: n + 1

    test "some of the host functions, and the host keeps the others" do
      plugin = new!(wat("link_user_main"), host_functions: @functions)
      assert call(plugin, "greet", "you") == "hello you"
      assert call(plugin, "tick") == "42"

      replaced = manifest("link_user_main", [{"extism:host/user", "link_user"}])
      plugin = new!(replaced, host_functions: @functions)
      assert call(plugin, "greet", "you") == "YOU"
      assert call(plugin, "tick") == "42"
    end

    test "functions of WASI" do
      libraries = [{"wasi_snapshot_preview1", "link_random"}, {"shared", "link_shared"}]
      plugin = new!(manifest("link_random_main", libraries), wasi: true)
      assert call(plugin, "random") == String.duplicate(<<4>>, 8)
      <<now::little-64>> = call(plugin, "now")
      assert_in_delta now / 1_000_000, System.os_time(:millisecond), 60_000
    end

    test "functions of the kernel are not replaced" do
      sources = [
        %{path: wat("link_user_main")},
        %{path: wat("link_user"), name: "extism:host/env"}
      ]

      error = error!(Vitrine.new(%{wasm: sources}))
      assert error.reason == :manifest
      assert error.message == "Duplicate module name found in Extism manifest: extism:host/env"
    end
  end

  describe "circles of imports" do
    test "of functions are linked" do
      libraries = [{"even", "link_cycle_even"}, {"odd", "link_cycle_odd"}]
      assert call(new!(manifest("link_cycle_main", libraries)), "value") == "127"
    end

    test "within one module are linked" do
      assert call(new!(manifest("link_self", [])), "noop") == ""
    end

    test "through the main module reach the called instance" do
      plugin = new!(manifest("link_to_library", [{"lib", "link_from_main"}]))
      assert call(plugin, "value") == "51"
    end
  end

  describe "an import that cannot be linked" do
    test "is named with its chain of imports" do
      libraries = [{"b", "link_chain_b"}, {"c", "link_chain_c"}]
      error = error!(Vitrine.new(manifest("link_chain_a", libraries)))
      assert error.reason == :link
      assert error.message =~ ~S("nowhere"."f")
      assert error.message =~ "main -> b -> c"
    end

    test "is named when a library is missing" do
      error = error!(Vitrine.new(manifest("link_chain_a", [{"b", "link_chain_b"}])))
      assert error.reason == :link
      assert error.message =~ ~r/"c"\..*main -> b/
    end

    test "names the module when one cannot be compiled" do
      sources = [
        %{data: "(module (func (result i32)))", name: "lib"},
        %{path: wat("rc"), name: "main"}
      ]

      error = error!(Vitrine.new(%{wasm: sources}))
      assert error.reason == :compile
      assert error.message =~ ~s(module "lib")
    end
  end

  describe "a main module" do
    test "with both start functions is a reactor" do
      assert call(new!(wat("start_and_initialize")), "value") == "42"
    end

    test "may be a command with other exports" do
      plugin = new!(wat("command_with_globals"))
      assert [call(plugin, "count"), call(plugin, "count")] == ["1", "2"]
      assert Vitrine.call(plugin, "_start") == {:ok, ""}
      assert call(plugin, "count") == "1"
    end
  end
end
