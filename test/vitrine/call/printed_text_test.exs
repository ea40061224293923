defmodule Vitrine.Call.PrintedTextTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.OwnLog

  # The log of plugins is shown only where a test fails.
  @moduletag :capture_log

  # Prints its input, in pieces of so many bytes, or logs it.
  @plugin """
  (module
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "input_load_u8" (func $load (param i64) (result i32)))
    (import "extism:host/env" "log_info" (func $log (param i64)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 4)
    (func $copy (local i32)
      (loop
        (i32.store8 (i32.add (i32.const 1024) (local.get 0)) (call $load (i64.extend_i32_u (local.get 0))))
        (local.set 0 (i32.add (local.get 0) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 0) (i32.wrap_i64 (call $length))))))
    (func $print (param $piece i32) (local $at i32) (local $end i32)
      (call $copy)
      (local.set $at (i32.const 1024))
      (local.set $end (i32.add (i32.const 1024) (i32.wrap_i64 (call $length))))
      (loop $more
        (i32.store (i32.const 0) (local.get $at))
        (if (i32.gt_u (local.get $piece) (i32.sub (local.get $end) (local.get $at)))
          (then (local.set $piece (i32.sub (local.get $end) (local.get $at)))))
        (i32.store (i32.const 4) (local.get $piece))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
        (local.set $at (i32.add (local.get $at) (i32.load (i32.const 100))))
        (br_if $more (i32.lt_u (local.get $at) (local.get $end)))))
    (func (export "print_by_1") (call $print (i32.const 1)))
    (func (export "print_by_4096") (call $print (i32.const 4096)))
    (func (export "print_by_65536") (call $print (i32.const 65536)))
    (func (export "log") (call $log (call $input))))
  """

  setup do
    {:ok, plugin: new!(@plugin, wasi: [stdout: {:log, :info}])}
  end

  # Counts each of the characters in what the plugin logged.
  defp logged(plugin, function, text, characters) do
    lines = OwnLog.lines(fn -> assert {:ok, _} = Vitrine.call(plugin, function, text) end)
    log = Enum.join(lines, "\n")
    assert String.valid?(log)
    for character <- characters, do: count(log, character)
  end

  defp count(log, character), do: length(String.split(log, character)) - 1

  for function <- ["print_by_1", "print_by_4096", "print_by_65536"] do
    test "a long line of text is logged whole, in pieces that end between characters: #{function}",
         %{plugin: plugin} do
      function = unquote(function)
      # A piece ends where the second byte of the letter is missing.
      text = String.duplicate("Q", 12_287) <> "é" <> String.duplicate("Q", 100)
      assert logged(plugin, function, text, ["Q", "é"]) == [12_387, 1]

      for shift <- 0..3 do
        text = String.duplicate("Q", shift) <> String.duplicate("👍", 6_000)
        assert logged(plugin, function, text, ["👍", "�"]) == [6_000, 0]
      end
    end

    test "a long line that ends is logged in as few pieces as it needs, and without an empty line: #{function}",
         %{plugin: plugin} do
      for {length, pieces} <- [{4_096, 1}, {4_097, 2}, {5_000, 2}, {8_192, 2}, {12_289, 4}] do
        text = String.duplicate("Q", length) <> "\n"
        lines = OwnLog.lines(fn -> {:ok, _} = Vitrine.call(plugin, unquote(function), text) end)
        assert length(lines) == pieces, "#{length}"
      end
    end

    test "a line that is not UTF-8 is logged with a sign for each byte that is not: #{function}",
         %{plugin: plugin} do
      text = String.duplicate("Q", 5_000) <> <<0xE9>> <> String.duplicate("Q", 9_000) <> <<0xC3>>
      assert logged(plugin, unquote(function), text, ["Q", "�"]) == [14_000, 2]
    end
  end

  test "a message that is not UTF-8 is logged with a sign for each byte that is not", ctx do
    text = String.duplicate("Q", 79) <> <<0xE9>>
    assert logged(ctx.plugin, "log", text, ["Q", "�"]) == [79, 1]
  end

  test "a message that is too long is cut between characters", %{plugin: plugin} do
    for shift <- 0..1 do
      text = String.duplicate("Q", shift) <> String.duplicate("é", 50_000)
      assert [^shift, _, 0] = logged(plugin, "log", text, ["Q", "é", "�"])
    end
  end

  test "the captured text is the printed text, byte by byte" do
    plugin = new!(@plugin, wasi: [stdout: :capture])
    text = String.duplicate("Q", 12_287) <> "é" <> <<0xE9>>
    Vitrine.call!(plugin, "print_by_4096", text)
    assert Vitrine.take_printed(plugin).stdout == text
  end
end
