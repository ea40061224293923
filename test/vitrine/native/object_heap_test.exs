defmodule Vitrine.Native.ObjectHeapTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  @plugin """
  (module
    (type $list (struct (field (ref null $list)) (field i64) (field i64)))
    (type $bytes (array (mut i8)))
    (tag $tag (param (ref null $list)))
    (global $kept (mut (ref null $list)) (ref.null $list))
    (global $array (mut (ref null $bytes)) (ref.null $bytes))
    (func (export "list")
      (loop (global.set $kept (struct.new $list (global.get $kept) (i64.const 1) (i64.const 2))) (br 0)))
    (func (export "array") (global.set $array (array.new_default $bytes (i32.const 60000000))))
    (func (export "largest") (global.set $array (array.new_default $bytes (i32.const -1))))
    (func (export "small") (global.set $array (array.new_default $bytes (i32.const 100)))))
  """

  test "a full heap of garbage-collected objects is :out_of_memory" do
    for function <- ~w(list array largest) do
      plugin = new!(@plugin, memory: [max_pages: 200])
      assert %{reason: :out_of_memory} = error = error!(Vitrine.call(plugin, function)), function
      assert error.message =~ "13107200 bytes"
      assert {:ok, ""} = Vitrine.call(plugin, "small")
    end
  end

  test "a heap that is full when an instance begins is :out_of_memory, too" do
    new = "(array.new $a (i64.const 0) (i32.const 1000000))"

    for state <- [
          "(global (ref $a) #{new})",
          "(table 3 (ref $a) #{new})",
          "(table $t 3 (ref null $a)) (elem (table $t) (i32.const 0) (ref null $a) (item #{new}))"
        ] do
      text = "(module (type $a (array (mut i64))) #{state})"
      error = error!(Vitrine.new({:module, text}, memory: [max_pages: 16]))
      assert error.reason == :out_of_memory, error.message
      assert error.message =~ "1048576 bytes"
    end
  end
end
