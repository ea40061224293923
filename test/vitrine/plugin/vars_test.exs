defmodule Vitrine.Plugin.VarsTest do
  # Not async: hundreds of megabytes go around here.
  use ExUnit.Case, async: false

  @moduletag :fusing

  import Vitrine.Guests

  # One variable, "v".
  @guest ~S"""
  (module
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (import "extism:host/env" "var_get" (func $get (param i64) (result i64)))
    (import "extism:host/env" "var_set" (func $set (param i64 i64)))
    (func $key (result i64) (local $key i64)
      (local.set $key (call $alloc (i64.const 1)))
      (call $store (local.get $key) (i32.const 118))
      (local.get $key))
    (func (export "get") (local $value i64)
      (local.set $value (call $get (call $key)))
      (call $output (local.get $value) (call $length (local.get $value))))
    (func (export "set") (call $set (call $key) (call $input))))
  """

  @megabyte 1024 * 1024

  defp plugin!, do: new!(@guest, memory: [max_var_bytes: 64 * @megabyte])

  describe "a large value" do
    test "goes in and out, and what was read of it stays when it is replaced" do
      plugin = plugin!()
      value = :crypto.strong_rand_bytes(5 * @megabyte)
      assert Vitrine.call!(plugin, "set", value) == ""
      assert Vitrine.call!(plugin, "get") == value
      %{"v" => read} = Vitrine.vars(plugin)
      :ok = Vitrine.put_vars(plugin, %{"v" => "small"})
      assert Vitrine.call!(plugin, "get") == "small"
      assert Vitrine.call!(plugin, "set") == ""
      assert Vitrine.vars(plugin) == %{}
      assert read == value
    end

    test "outlives the plugin in a process that has read it" do
      value = :binary.copy("0123456789", 100_000)
      read = Task.async(fn -> read_and_forget(value) end) |> Task.await(60_000)
      :erlang.garbage_collect()
      assert read == %{"v" => value}
    end

    defp read_and_forget(value) do
      plugin = plugin!()
      :ok = Vitrine.put_vars(plugin, %{"v" => value})
      vars = Vitrine.vars(plugin)
      :ok = Vitrine.close(plugin)
      vars
    end
  end

  describe "several processes" do
    test "see variables as they are at one time, while a guest and another process change them" do
      plugin = plugin!()
      put = fn n -> :ok = Vitrine.put_vars(plugin, values(n)) end
      put.(0)

      tasks =
        for run <- [
              fn -> Enum.each(1..50, put) end,
              fn -> for _ <- 1..50, do: assert_whole(Vitrine.vars(plugin)) end,
              fn -> for _ <- 1..50, do: assert_whole(Vitrine.vars(plugin)) end,
              fn -> for _ <- 1..50, do: Vitrine.call!(plugin, "get") |> assert_same() end,
              fn ->
                for _ <- 1..1_000, do: assert(Vitrine.stats(plugin).vars_bytes > @megabyte)
              end
            ],
            do: Task.async(run)

      Task.await_many(tasks, 60_000)
      assert Vitrine.vars(plugin) == values(50)
    end

    # Large ones, and some hundred small ones.
    defp values(n) do
      small = for i <- 1..300, into: %{}, do: {"small #{i}", <<n>>}
      Map.merge(small, %{"v" => :binary.copy(<<n>>, @megabyte), "w" => <<n>>})
    end

    defp assert_whole(vars) do
      assert map_size(vars) == 302
      vars |> Map.values() |> Enum.map(&:binary.first/1) |> assert_all_equal()
      assert_same(vars["v"])
    end

    defp assert_same(value) do
      assert value == :binary.copy(<<:binary.first(value)>>, @megabyte)
    end

    defp assert_all_equal(bytes), do: assert([_] = Enum.uniq(bytes))
  end
end
