defmodule Vitrine.Loader.HostileModulesTest do
  # Small modules that ask for much more than their size tells before they run: refused, with what was counted.
  use ExUnit.Case, async: true

  @moduletag :slow

  import Vitrine.Guests

  @null "(ref.null extern) "

  defp refusal(source) do
    error = error!(Vitrine.compile(source))
    assert error.reason == :compile
    # Whoever inspects it waits for no compilation.
    assert error!(Vitrine.inspect_plugin(source)).message == error.message
    assert byte_size(error.message) < 400
    error.message
  end

  defp times(text, count), do: String.duplicate(text, count)

  describe "a module is refused for its cost before it is compiled:" do
    test "60 000 elements that are references" do
      message = refusal("(module (elem externref #{times(@null, 60_000)}))")

      assert message ==
               "the module cannot be compiled: compiling it would take too long: the module has " <>
                 "2703755 microseconds' worth of types, imports, exports, elements and globals; " <>
                 "the limit is 545004 for 180018 bytes"

      table = "(table 60000 externref) (elem (i32.const 0) externref #{times(@null, 60_000)})"
      assert refusal("(module #{table})") =~ "60000 references in initialisers; the limit is 2"
    end

    test "a million passive elements that are functions" do
      assert refusal("(module (func $f) (elem func #{times("$f ", 1_000_000)}))") =~
               "the limit is 750011 for 1000047 bytes"
    end

    test "49 000 data segments of a byte" do
      data = times(~S|(data (i32.const 7) "a")|, 49_000)
      assert refusal("(module (memory 1) #{data})") =~ "49000 data segments; the limit is 14"
    end

    test "50 000 globals that are functions, or references" do
      functions = times("(global funcref (ref.func $f))", 50_000)
      assert refusal("(module (func $f) #{functions})") =~ "microseconds' worth of types"
      nulls = times("(global externref (ref.null extern))", 50_000)
      assert refusal("(module #{nulls})") =~ "50000 references in initialisers; the limit is 2"
    end
  end

  test "64 000 readings of a table are too many, and with fuel fewer are" do
    gets = fn count ->
      "(module (table $t 1 funcref) (func (param i32) " <>
        times("(drop (table.get $t (local.get 0)))", count) <> "))"
    end

    assert refusal(gets.(64_000)) =~ "branches that its instructions become; the limit is"
    assert {:ok, _compiled} = Vitrine.compile(gets.(3_000))

    assert error!(Vitrine.compile(gets.(3_000), fuel: 1_000)).message =~
             "branches that its instructions become"
  end

  test "20 000 conditions with a result within each other are too deep, and so are 100 000" do
    for depth <- [20_000, 100_000] do
      begin = times("local.get 0 if (result i32) ", depth)
      body = begin <> "i32.const 1 " <> times("else i32.const 0 end ", depth)
      message = refusal("(module (func (param i32) (result i32) #{body}))")
      assert message =~ "results of blocks within each other; the limit is"
    end
  end

  test "a text in which labels are far away is refused" do
    text =
      "(module (func block $o " <>
        times("block ", 90_000) <> times("br $o end ", 90_000) <> "end))"

    assert refusal(text) ==
             "the module cannot be compiled: reading it would take too long: the text has " <>
               "4050135000 blocks around the labels that it names; the limit is 123040448 for " <>
               "1440028 bytes of text"
  end

  test "the parser's message about a long name is cut" do
    name = times("n", 1_000_000)
    error = error!(Vitrine.compile("(module (func call $#{name}))"))
    assert error.reason == :compile
    assert byte_size(error.message) < 70_000
  end

  test "a small module is compiled while hostile ones are refused and allowed ones are compiled" do
    test = self()
    # The most that is allowed of each.
    slow = [
      "(module (elem externref #{times(@null, 10_000)}) (func))",
      "(module (func $f) (elem func #{times("$f ", 50_000)}))",
      "(module (table 9000 externref) (elem (i32.const 0) externref #{times(@null, 2_000)}))",
      "(module #{times("(global externref (ref.null extern))", 2_000)})"
    ]

    for {source, number} <- Enum.with_index(slow ++ slow) do
      source = source <> ";; #{number}"
      spawn_link(fn -> send(test, {:compiled, Vitrine.compile(source)}) end)
    end

    assert {:ok, _compiled} = Vitrine.compile("(module (func (export \"small\")))")
    # It did not wait for all of them.
    {:message_queue_len, compiled} = Process.info(self(), :message_queue_len)
    assert compiled < length(slow ++ slow)
    for _ <- slow ++ slow, do: assert_receive({:compiled, {:ok, _}}, 60_000)
  end
end
