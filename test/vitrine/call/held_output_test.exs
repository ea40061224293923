defmodule Vitrine.Call.HeldOutputTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  # `$byte` makes a block of one byte. Blocks that are freed are handed out again at once, unless they are read later.
  @plugin """
  (module
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "free" (func $free (param i64)))
    (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (import "extism:host/env" "error_set" (func $error (param i64)))
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "log_info" (func $log (param i64)))
    (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
    (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
    (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
    (func $byte (param i32) (result i64) (local i64)
      (local.set 1 (call $alloc (i64.const 1)))
      (call $store (local.get 1) (local.get 0))
      (local.get 1))
    (func $others
      (drop (call $byte (i32.const 66))) (drop (call $byte (i32.const 66)))
      (drop (call $byte (i32.const 66))))
    (func $a (result i64) (local i64)
      (local.set 0 (call $byte (i32.const 65)))
      (call $output (local.get 0) (i64.const 1))
      (local.get 0))
    (func (export "freed") (call $free (call $a)) (call $others))
    (func (export "logged") (call $log (call $a)) (call $others))
    (func (export "key") (call $var_set (call $a) (call $byte (i32.const 67))) (call $others))
    (func (export "value") (call $var_set (call $byte (i32.const 67)) (call $a)) (call $others))
    (func (export "wanted") (drop (call $var_get (call $a))) (call $others))
    (func (export "configured") (drop (call $config_get (call $a))) (call $others))
    (func (export "input")
      (call $output (call $input) (call $length))
      (call $free (call $input))
      (call $others))
    (func (export "input_logged")
      (call $output (call $input) (call $length))
      (call $log (call $input))
      (call $others))
    (func $fail (local i64)
      (local.set 0 (call $byte (i32.const 65)))
      (call $error (local.get 0))
      (call $free (local.get 0))
      (call $others))
    (func (export "error") (result i32) (call $fail) (i32.const 1))
    (func (export "error_and_trap") (call $fail) unreachable)
    (func (export "error_and_success") (result i32) (drop (call $a)) (call $fail) (i32.const 0))
    (func (export "again") (local i32)
      (loop
        (call $free (call $a))
        (local.set 0 (i32.add (local.get 0) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 0) (i32.const 1000000)))))
    (func (export "large_again") (local i32 i64)
      (loop
        (local.set 1 (call $alloc (i64.const 1000000)))
        (call $output (local.get 1) (i64.const 1))
        (call $free (local.get 1))
        (local.set 0 (i32.add (local.get 0) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 0) (i32.const 10000))))))
  """

  for fuse <- [true, false] do
    describe "with fuse: #{fuse}, a block that is freed while it is" do
      setup do
        {:ok,
         plugin: new!(@plugin, fuse: unquote(fuse), log_level: :info, memory: [max_pages: 64])}
      end

      for function <- ~w(freed logged key value wanted configured) do
        test "a held output does not change when its block is written: #{function}", %{
          plugin: plugin
        } do
          quiet(fn -> assert Vitrine.call(plugin, unquote(function)) == {:ok, "A"} end)
        end
      end

      test "an output that is the input does not change when that is written", %{plugin: plugin} do
        for function <- ["input", "input_logged"] do
          quiet(fn -> assert Vitrine.call(plugin, function, "a") == {:ok, "a"} end)
        end
      end

      test "a held error does not change when its block is written", %{plugin: plugin} do
        assert %{reason: :guest_error, message: "A", code: 1} =
                 error!(Vitrine.call(plugin, "error"))

        assert %{reason: :trap, message: "A (" <> _} =
                 error!(Vitrine.call(plugin, "error_and_trap"))
      end

      test "an error that was set is ignored if the guest returns 0, as with Extism", %{
        plugin: plugin
      } do
        assert Vitrine.call(plugin, "error_and_success") == {:ok, "A"}
      end

      test "the block of a former output can be written again", %{plugin: plugin} do
        for function <- ["again", "large_again"] do
          assert {:ok, <<_>>} = Vitrine.call(plugin, function)
        end
      end
    end
  end

  defp quiet(function), do: ExUnit.CaptureLog.with_log(function)
end
