defmodule Vitrine.Loader.InspectionTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  @options [
    wasi: true,
    memory: [max_pages: 65_536],
    host_functions: [
      {"greet", &Function.identity/1},
      {"tick", &Function.identity/1},
      Vitrine.HostFunction.new("hello", [:binary], :binary, &Function.identity/1, namespace: "env")
    ]
  ]

  defp inspect!(source, options \\ []) do
    assert {:ok, found} = Vitrine.inspect_plugin(source, options)
    found
  end

  defp refused(source, options \\ []), do: inspect!(source, options).refused

  describe "inspect_plugin/2" do
    test "answers a Vitrine.Inspection, also for a component" do
      component = <<0, "asm", 13, 0, 1, 0>>
      for bytes <- ["(module)", component], do: assert(%Vitrine.Inspection{} = inspect!(bytes))
    end

    test "has size, hash, name, producers and languages" do
      bytes = File.read!(wasm("rust_minimal"))
      found = inspect!(bytes)
      assert found.size == byte_size(bytes)
      assert found.sha256 == Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
      assert {found.component, found.abi, found.wasi, found.http} == {false, 1, false, false}
      assert "echo" in found.functions
      assert inspect!("(module $own)").name == "own"

      noted = ~S|(module (@producers (language "C" "11") (language "D" "") (sdk "kit" "1.0")))|
      assert %{languages: ["C", "D"], producers: producers} = inspect!(noted)
      assert producers == %{"language" => [{"C", "11"}, {"D", ""}], "sdk" => [{"kit", "1.0"}]}

      assert %{name: nil, producers: producers, languages: []} = inspect!("(module)")
      assert producers == %{}
    end

    test "lists exports and imports, with types" do
      source = ~S"""
      (module
        (import "env" "f" (func $f (param i32 f64 v128 externref) (result i64 f32)))
        (import "env" "g" (global i64))
        (memory (export "memory") 1 3)
        (table (export "table") 5 funcref)
        (global (export "global") (mut f32) (f32.const 0))
        (tag (export "tag"))
        (func (export "run") (result i32) (i32.const 0))
        (func $start) (start $start)
        (export "f" (func $f)))
      """

      found = inspect!(source)
      f = %{kind: :function, params: [:i32, :f64, :v128, "externref"], results: [:i64, :f32]}

      assert found.imports == [
               %{namespace: "env", name: "f", type: f},
               %{namespace: "env", name: "g", type: %{kind: :global, type: :i64, mutable: false}}
             ]

      memory = %{kind: :memory, min_pages: 1, max_pages: 3, memory64: false}
      table = %{kind: :table, element: "funcref", min: 5, max: nil}

      assert Map.new(found.exports, &{&1.name, &1.type}) == %{
               "memory" => memory,
               "table" => table,
               "global" => %{kind: :global, type: :f32, mutable: true},
               "tag" => %{kind: :tag},
               "run" => %{kind: :function, params: [], results: [:i32]},
               "f" => f
             }

      assert {found.memories, found.tables, found.start} == {[memory], [table], 2}
      assert found.functions == ["run"]
      assert found.host_functions == [{"env", "f"}, {"env", "g"}]
    end

    test "says which host functions, WASI and memory are needed" do
      assert inspect!(File.read!(wasm("c_wasi"))).wasi
      assert inspect!(File.read!(wat("http"))).http
      assert inspect!(File.read!(wasm("rust_old"))).abi == 0
      assert inspect!("(module)").abi == nil
    end

    test "accepts every guest that loads" do
      for path <- Path.wildcard(wasm("*")) do
        assert {path, refused(File.read!(path), @options)} == {path, []}
      end

      for path <- Path.wildcard(wat("*")) do
        bytes = File.read!(path)

        case Vitrine.compile(bytes, @options) do
          {:ok, _} ->
            assert {path, refused(bytes, @options)} == {path, []}

          {:error, %{reason: :compile}} ->
            assert reason(Vitrine.inspect_plugin(bytes)) == :compile

          {:error, %{reason: :link}} ->
            :ok
        end
      end
    end

    test "says why a plugin would be refused" do
      wasi = ~S|(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))))|

      assert refused(wasi) == [
               ~S|the import "wasi_snapshot_preview1"."sched_yield" is unknown; the plugin needs WASI, which is not | <>
                 "granted: give wasi: true"
             ]

      assert refused(wasi, wasi: true) == []

      missing = ~S|(module (import "app" "f" (func)) (import "extism:host/env" "g" (func))
        (import "env" "extism_h" (func)) (import "extism:host/env" "memory" (memory 1)))|

      assert refused(missing) == [
               ~S|the import "app"."f" is unknown; is a host function missing from host_functions?|,
               ~S|the imports "extism:host/env"."g", "env"."extism_h" are unknown; this version of the Extism ABI | <>
                 "has no such function",
               ~S|the import "extism:host/env"."memory" (a memory) is unknown; the Extism ABI has functions only|
             ]

      large = "(module (memory 3) (memory 2) (table 7 funcref) (table 7 funcref))"

      assert refused(large, memory: [max_pages: 4], limits: [table_elements: 10]) == [
               "its memories begin with 5 pages of 64 KiB; the limit is 4 (memory: %{max_pages: 4})",
               "its tables begin with 14 elements; the limit is 10 (limits: [table_elements: 10])"
             ]

      many =
        "(module #{String.duplicate("(memory 0)", 16)}#{String.duplicate("(table 0 funcref)", 65)})"

      assert refused(many) == [
               "the module has 16 memories; the limit is 15",
               "the module has 65 tables; the limit is 64"
             ]

      assert reason(Vitrine.new(many)) == :link

      assert ["it lacks the plugin function \"run\""] =
               refused("(module)", requires: [exports: ["run"]])
    end

    test "compares host functions with their imports" do
      source = ~S|(module (import "extism:host/user" "f" (func (param i32) (result i64))))|
      typed = &[host_functions: [Vitrine.HostFunction.new("f", &1, :binary, fn _ -> "" end)]]
      assert refused(source, typed.([:i32])) == []

      untyped = [host_functions: %{"f" => & &1}]

      for {options, hint} <- [
            {typed.([:i64]), ""},
            {typed.([:binary]), ""},
            {untyped, "; declare its types with Vitrine.HostFunction.new/5"}
          ] do
        assert refused(source, options) == [
                 ~S|the import "extism:host/user"."f" is declared as (i32) -> (i64), and the host function is | <>
                   "(i64) -> (i64)" <> hint
               ]

        assert reason(Vitrine.compile(source, options)) == :link
      end

      handle = ~S|(module (import "extism:host/user" "f" (func (param i64) (result i64))))|
      assert [arity] = refused(handle, host_functions: %{"f" => fn _, _, _ -> "" end})
      assert arity =~ ~s("f" with 1 parameter; its function has 3 arguments, and 1 or 2)

      global = ~S|(module (import "extism:host/user" "f" (global i32)))|

      assert refused(global, typed.([:i32])) == [
               ~S|the import "extism:host/user"."f" is declared as a global, and the host function of that name is a | <>
                 "function"
             ]
    end

    test "tells components and modules apart" do
      found = inspect!(<<0, "asm", 0x0D, 0, 1, 0>>)
      assert found.component
      assert found.refused == ["it is a component, and not a module"]
    end

    test "answers with an error for bytes that are not a module" do
      for bytes <- ["", "junk", <<0, "asm", 1, 0, 0, 0, 1>>, "(module (func (result i32)))"] do
        assert reason(Vitrine.inspect_plugin(bytes)) == :compile
      end

      assert error!(Vitrine.inspect_plugin("missing.wasm")).message =~
               "it looks like the path of a file; choose the .wasm file"

      assert_raise ArgumentError, fn -> Vitrine.inspect_plugin("(module)", nam: 1) end

      for wrong <- [nil, %{}, Vitrine.compile!("(module)")] do
        assert_raise ArgumentError, ~r/the bytes of a module/, fn ->
          Vitrine.inspect_plugin(wrong)
        end
      end
    end

    test "runs nothing, and makes no atoms of what it finds" do
      source =
        ~S|(module (func $start unreachable) (start $start) (func (export "a name that is no atom")))|

      assert inspect!(source).start == 0

      assert_raise ArgumentError, fn ->
        String.to_existing_atom("a name that is no" <> " atom")
      end
    end
  end
end
