defmodule Vitrine.Conformance.DebuggingTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  describe "backtraces" do
    test "have the names of functions" do
      named = ~S"""
      (module
        (func $inner unreachable)
        (func $outer (call $inner))
        (func (export "run") (call $outer)))
      """

      error = error!(Vitrine.call(new!(named), "run"))
      assert ["inner", "outer" | _] = Enum.map(error.backtrace, & &1.function)
      assert Enum.all?(error.backtrace, &is_integer(&1.offset))
      assert Exception.message(error) =~ ~r/at inner .*\n.*at outer/
    end

    test "have files and lines where the plugin has debug information, if that is asked for" do
      error = error!(Vitrine.call(new!(wasm("c_debug"), debug_info: true), "crash"))
      assert %{file: file, line: line} = Enum.find(error.backtrace, & &1.file)
      assert Path.basename(file) == "debug.c"
      source = Path.expand("../guests/c/debug.c", __DIR__)
      assert source |> File.read!() |> String.split("\n") |> Enum.at(line - 1) =~ "42 / by"
      assert Exception.message(error) =~ "debug.c:#{line}"

      error = error!(Vitrine.call(new!(wasm("c_debug")), "crash"))
      assert Enum.all?(error.backtrace, &(&1.file == nil))
    end
  end

  describe "coredump" do
    setup do
      path = Path.join(System.tmp_dir!(), "vitrine-core-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm(path) end)
      %{path: path}
    end

    test "is written when a call traps, and when it is over its time", %{path: path} do
      plugin = new!(wat("spin"), coredump: path)
      assert {:ok, _} = Vitrine.call(plugin, "noop")
      refute File.exists?(path)
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 20)) == :timeout
      assert <<0, "asm", _::binary>> = File.read!(path)
      File.rm!(path)

      plugin = new!(wat("traps"), coredump: path)
      assert reason(Vitrine.call(plugin, "unreachable")) == :trap
      assert <<0, "asm", core::binary>> = File.read!(path)
      assert core =~ "corestack"
    end

    test "that cannot be written is named in the error" do
      plugin = new!(wat("traps"), coredump: "/not/there/core")
      error = error!(Vitrine.call(plugin, "unreachable"))
      assert error.reason == :trap
      assert error.message =~ "coredump could not be written to /not/there/core"
    end
  end

  describe "profiler" do
    test "perf is told of the plugin's functions" do
      named = ~S|(module (func $a_name_to_be_found (export "run") (nop)))|
      assert {:ok, _} = Vitrine.new(named, profiler: :perf)
      path = "/tmp/perf-#{System.pid()}.map"
      on_exit(fn -> File.rm(path) end)
      assert File.read!(path) =~ "a_name_to_be_found"
    end

    test "a profiler with another name is refused" do
      assert_raise ArgumentError, ~r/:profiler/, fn ->
        Vitrine.new("(module)", profiler: :gprof)
      end
    end
  end
end
