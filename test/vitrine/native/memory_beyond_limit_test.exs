defmodule Vitrine.Native.MemoryBeyondLimitTest do
  # Not async: the memory of the whole system process is measured.
  use ExUnit.Case, async: false

  @moduletag :fusing

  import Vitrine.Guests

  @plugin """
  (module
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
    (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
    (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
    (import "extism:host/env" "http_request" (func $http (param i64 i64) (result i64)))
    (memory 1)
    (func $large (result i64) (call $alloc (i64.const 400000000)))
    (func (export "set") (local i64) (local.set 0 (call $large)) (call $var_set (local.get 0) (local.get 0)))
    (func (export "set_value") (call $var_set (call $alloc (i64.const 1)) (call $large)))
    (func (export "delete") (call $var_set (call $large) (i64.const 0)))
    (func (export "get") (drop (call $var_get (call $large))))
    (func (export "config") (drop (call $config_get (call $large))))
    (func (export "fill") (param) (drop (memory.grow (i32.const 1600)))
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 100000000)) unreachable)
    (func (export "grow") (drop (memory.grow (i32.const 4800))) unreachable)
    (func (export "small") unreachable))
  """

  defp status(field) do
    [_, kilobytes] = Regex.run(~r/#{field}:\s+(\d+) kB/, File.read!("/proc/self/status"))
    String.to_integer(kilobytes) * 1024
  end

  # How much memory the system process had more at its peak.
  defp peak(work) do
    File.write!("/proc/self/clear_refs", "5")
    before = status("VmRSS")
    result = work.()
    {status("VmHWM") - before, result}
  end

  describe "a block of 400 MB is not copied" do
    test "as a variable that is too long" do
      for {function, text} <- [
            {"set",
             "Variable store is full: a name of 400000000 bytes and a value of 400000000 bytes count as " <>
               "800000048 bytes; the limit is 1048576 bytes (memory: %{max_var_bytes: 1048576})"},
            {"set_value",
             "Variable store is full: a name of 1 bytes and a value of 400000000 bytes"}
          ] do
        plugin = new!(@plugin)
        {more, result} = peak(fn -> Vitrine.call(plugin, function) end)
        assert error!(result).message =~ text
        # One copy would be 400 MB.
        assert more < 200_000_000
      end
    end

    test "as a name that does not exist" do
      for function <- ["delete", "get", "config"] do
        plugin = new!(@plugin, config: %{"key" => "value"})
        {more, result} = peak(fn -> Vitrine.call(plugin, function) end)
        assert result == {:ok, ""}
        assert more < 200_000_000
      end
    end
  end

  describe "a coredump" do
    setup do
      path = Path.join(System.tmp_dir!(), "vitrine-core-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm(path) end)
      %{path: path, plugin: new!(@plugin, coredump: path)}
    end

    test "that would be too large is not written, and the error says so", ctx do
      for {function, text} <- [
            {"fill", "bytes of the memories are in use; the limit is 67108864 bytes (64 MiB)"},
            {"grow", "bytes; the limit is 268435456 bytes (256 MiB)"}
          ] do
        error = error!(Vitrine.call(ctx.plugin, function))
        assert error.reason == :trap
        assert error.message =~ "the coredump could not be written to #{ctx.path}: "
        assert error.message =~ text
        refute File.exists?(ctx.path)
      end
    end

    test "takes no memory beyond its limit", ctx do
      # The guest's own memory is 100 MB.
      assert {more, {:error, _}} = peak(fn -> Vitrine.call(ctx.plugin, "fill") end)
      assert more < 200_000_000
    end

    test "that is small is written", ctx do
      assert %{message: "wasm `unreachable` instruction executed"} =
               error!(Vitrine.call(ctx.plugin, "small"))

      assert File.stat!(ctx.path).size in 1..1_000_000
    end
  end
end
