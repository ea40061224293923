defmodule Vitrine.Conformance.LimitsTest do
  # Fuel, memory, tables, output: what a plugin may use.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  describe "fuel" do
    test "ends a call, with the same error each time" do
      plugin = new!(wat("fuel"), fuel: 10_000)

      for _ <- 1..100 do
        error = error!(Vitrine.call(plugin, "burn", "1000000"))

        assert {error.reason, error.message} ==
                 {:fuel, "plugin ran out of fuel; the limit is 10000 units (fuel: 10000)"}
      end

      assert Vitrine.call(plugin, "noop") == {:ok, ""}
    end

    test "is given to each call anew" do
      plugin = new!(wat("fuel"), fuel: 100_000)
      for _ <- 1..20, do: assert({:ok, _} = Vitrine.call(plugin, "burn", "5000"))
    end

    test "that was used is reported, and depends only on the work" do
      plugin = new!(wat("fuel"), fuel: 1_000_000)
      assert {:ok, _} = Vitrine.call(plugin, "burn", "1000")
      used = Vitrine.fuel_used(plugin)
      assert used in 8_000..10_000
      assert {:ok, _} = Vitrine.call(plugin, "burn", "2000")
      assert_in_delta Vitrine.fuel_used(plugin), 2 * used, 500
      assert {:ok, _} = Vitrine.call(plugin, "burn", "1000")
      assert Vitrine.fuel_used(plugin) == used
      assert {:error, _} = Vitrine.call(plugin, "burn", "10000000")
      assert_in_delta Vitrine.fuel_used(plugin), 1_000_000, 100
    end

    test "limits start functions, initialisers and constructors" do
      for guest <- ["fuel_start", "fuel_initialize", "fuel_ctors"] do
        assert reason(Vitrine.new(wat(guest), fuel: 10_000)) == :fuel
        assert reason(Vitrine.new(wat(guest), fuel: 2_000_000, init_fuel: 10_000)) == :fuel
        plugin = new!(wat(guest), fuel: 10_000, init_fuel: 2_000_000)
        assert Vitrine.fuel_used(plugin) in 800_000..2_000_000
        assert {:ok, _} = Vitrine.call(plugin, "noop")
        assert Vitrine.fuel_used(plugin) < 10_000
      end
    end

    test "for initialisation requires fuel for calls" do
      assert_raise ArgumentError, ~r/together with :fuel/, fn ->
        Vitrine.new(wat("fuel"), init_fuel: 10)
      end

      for wrong <- [-1, :lots, 1.5] do
        assert_raise ArgumentError, ~r/units of fuel/, fn ->
          Vitrine.new(wat("fuel"), fuel: wrong)
        end
      end
    end

    test "used is nil if no fuel is set" do
      plugin = new!(wat("fuel"))
      assert {:ok, _} = Vitrine.call(plugin, "burn", "1000")
      assert Vitrine.fuel_used(plugin) == 0
    end

    test "does not stop a loop from reaching its timeout" do
      plugin = new!(wat("spin"), fuel: 0xFFFF_FFFF_FFFF_FFFF)
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 30)) == :timeout
    end
  end

  describe "memory.max_pages" do
    @input String.duplicate("x", 128 * 1024)

    defp memory_max(pages), do: %{wasm: [%{path: wat("memory_max")}], memory: %{max_pages: pages}}

    test "bounds the initial memory and its growth" do
      assert reason(Vitrine.new(memory_max(16))) == :out_of_memory
      assert Vitrine.call(new!(memory_max(17)), "grow", @input) == {:ok, "23"}
      assert Vitrine.call(new!(wat("memory_max")), "grow", @input) == {:ok, "23"}
    end

    test "bounds an instance over all its calls" do
      plugin = new!(memory_max(17))
      assert {:ok, "23"} = Vitrine.call(plugin, "grow", @input)
      results = for _ <- 1..3, do: Vitrine.call(plugin, "grow", @input)
      assert Enum.any?(results, &match?({:error, %{reason: :out_of_memory}}, &1))
    end

    test "bounds the input and the results of host functions" do
      plugin = new!(memory_max(17))
      input = String.duplicate("x", 4_000_000)
      assert reason(Vitrine.call(plugin, "noop", input)) == :out_of_memory
      assert Vitrine.call(plugin, "noop", "small") == {:ok, ""}

      function = %{"host_reflect" => fn _ -> input end}

      plugin =
        new!(%{wasm: [%{path: wat("reflect")}], memory: %{max_pages: 5}}, host_functions: function)

      assert reason(Vitrine.call(plugin, "reflect", "small")) == :out_of_memory
    end

    test "lets a memory grow to its own maximum and no further" do
      plugin =
        new!(
          ~S"""
          (module (memory 1 2)
            (func (export "grow") (result i32) (memory.grow (i32.const 1))))
          """,
          memory: [max_pages: 10]
        )

      assert error!(Vitrine.call(plugin, "grow")).code == 1
      assert error!(Vitrine.call(plugin, "grow")).code == -1
    end

    test "bounds all modules of a plugin together" do
      libraries = for n <- 1..3, do: %{data: "(module (memory 10))", name: "lib#{n}"}
      manifest = %{wasm: [%{data: "(module (memory 10))"} | libraries]}
      assert {:ok, _} = Vitrine.new(manifest, memory: [max_pages: 40])
      assert reason(Vitrine.new(manifest, memory: [max_pages: 39])) == :out_of_memory
    end
  end

  describe "the limit of" do
    test "a call's output" do
      plugin = new!(wasm("rust"), host_functions: host_functions(), limits: [output_bytes: 1_000])
      assert {:ok, output} = Vitrine.call(plugin, "big_output", "1000")
      assert byte_size(output) == 1_000
      error = error!(Vitrine.call(plugin, "big_output", "1001"))
      assert error.reason == :output_too_large
      assert error.message =~ "1001 bytes; the limit is 1000 bytes (limits: [output_bytes: 1000])"
    end

    test "tables" do
      table = "(module (table 100 funcref) (func (export \"run\")))"
      assert {:ok, _} = Vitrine.new(table, limits: [table_elements: 100])
      assert reason(Vitrine.new(table, limits: [table_elements: 99])) == :out_of_memory
    end

    test "the stack" do
      plugin = new!(wat("traps"))
      assert error!(Vitrine.call(plugin, "stack_overflow")).trap == "call stack exhausted"
    end
  end
end
