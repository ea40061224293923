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
end
