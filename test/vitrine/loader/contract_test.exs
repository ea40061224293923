defmodule Vitrine.Loader.ContractTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Loader.{Contract, Surface}
  alias Vitrine.Usage

  @guest ~S"""
  (module
    (import "extism:host/env" "input_offset" (func (result i64)))
    (import "extism:host/user" "greet" (func (param i64) (result i64)))
    (import "app" "log" (func (param i64)))
    (memory (export "memory") 1)
    (func (export "run"))
    (func (export "code") (result i32) (i32.const 0))
    (func (export "add") (param i32)))
  """

  @host [
    Vitrine.HostFunction.new("log", [:binary], nil, &Function.identity/1, namespace: "app"),
    {"greet", &Function.identity/1}
  ]

  defp new(requires, source \\ @guest, options \\ []) do
    Vitrine.new(source, [name: "p", requires: requires, host_functions: @host] ++ options)
  end

  describe "the option :requires" do
    test "is kept by a plugin that has more and needs less" do
      assert {:ok, _} = new(exports: ["run", "code"])
      assert {:ok, _} = new(imports: ["extism:host/user", {"app", "log"}, "nothing"])
      assert {:ok, _} = new(exports: ["run"], imports: ["app", "extism:host/user"], abi: 1)
      assert {:ok, _} = new([])
    end

    test "names every missing export, extra import and wrong ABI" do
      error = error!(new(exports: ["run", "add", "stop", "memory"], imports: ["app"], abi: 0))
      assert {error.reason, error.plugin} == {:contract, "p"}

      assert error.message ==
               ~S|the plugin does not keep its contract: it lacks the plugin functions "add", | <>
                 ~S|"stop", "memory"; it imports what it must not: "extism:host/user"."greet"; | <>
                 "it uses version 1 of the ABI, expected 0"
    end

    test "counts entries that are too many to be named" do
      imports = for n <- 1..30, do: ~s|(import "x" "f#{n}" (func))|
      error = error!(new([imports: []], "(module #{imports})"))
      assert error.message =~ ~S("x"."f20" and 10 more)
      refute error.message =~ ~S("f21")
    end

    test "is checked in work that grows with the imports and with the list of those that are allowed, not with the product" do
      surface = fn count ->
        imports = for n <- 1..count, do: {"x", "f#{n}", 0}
        Surface.new([{"main", {[], [], imports}}], 0, [], false)
      end

      work = fn count ->
        contract = %{exports: [], imports: for(n <- 1..count, do: {"y", "g#{n}"}), abi: nil}
        surface = surface.(count)
        {work, [_excess]} = Usage.reductions(fn -> Contract.faults(contract, surface, false) end)
        work
      end

      assert work.(8_000) < 12 * work.(1_000)
    end

    test "names the function that is nearest to one that is missing" do
      assert error!(new(exports: ["runs"])).message =~ ~S|function "runs" (did you mean "run"?)|
    end

    test "is checked before linking" do
      source = ~S|(module (import "x" "f" (func)))|
      assert reason(new([imports: []], source)) == :contract
      assert reason(new([], source)) == :link
    end

    test "allows the ABI always, and WASI if it is granted" do
      source = ~S|(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))))|
      assert {:ok, _} = new([imports: []], source, wasi: true)

      assert error!(new([imports: []], source)).message =~
               ~S("wasi_snapshot_preview1"."sched_yield")

      assert {:ok, _} = new([imports: []], ~S|(module (import "extism:host/env" "length"
                             (func (param i64) (result i64))))|)
    end

    test "tells the two versions of the ABI apart" do
      {:ok, _} = new([abi: 0], wat("old_abi"))

      assert error!(new([abi: 1], wat("old_abi_user"))).message =~
               "version 0 of the ABI, expected 1"

      # A plugin without either version matches both.
      for abi <- [0, 1, nil], do: assert({:ok, _} = new([abi: abi], "(module)"))
    end

    test "knows what modules import from each other" do
      main = ~S|(module (import "lib" "f" (func $f)) (func (export "run") (call $f)))|
      library = ~S|(module (import "app" "log" (func (param i64))) (func (export "f")))|

      manifest = %{
        "wasm" => [
          %{"data" => Base.encode64(main), "name" => "main"},
          %{"data" => Base.encode64(library), "name" => "lib"}
        ]
      }

      assert {:ok, _} = new([exports: ["run"], imports: ["app"]], manifest)
      error = error!(new([exports: ["f"], imports: []], manifest))
      assert error.message =~ ~S|lacks the plugin function "f"|
      assert error.message =~ ~S(must not: "app"."log")
      refute error.message =~ ~S("lib"."f")
    end

    test "is checked again where it is given again" do
      {:ok, compiled} =
        Vitrine.compile(@guest, host_functions: @host, requires: [exports: ["run"]])

      assert {:ok, _} = Vitrine.new(compiled)
      assert reason(Vitrine.new(compiled, requires: [exports: ["stop"]])) == :contract
      assert {:ok, _} = Vitrine.new(compiled, requires: nil)
    end

    test "raises for a value that is not a contract" do
      for requires <- [
            :exports,
            [export: []],
            [exports: "run"],
            [exports: [:run]],
            [exports: ["run" | "stop"]],
            [imports: ["env" | :any]],
            %{exports: ["run"]},
            [imports: [{"a", "b", "c"}]],
            [imports: nil],
            [abi: 2]
          ] do
        assert_raise ArgumentError, fn -> new(requires) end
      end
    end
  end
end
