defmodule Vitrine.Loader.WorkerAnswersTest do
  # Answers of parsing, inspecting, compiling and reading on threads that are not schedulers come as messages, which are
  # made there. OTP ends the VM if such a thread makes a large map, so all of this runs on another node.
  use ExUnit.Case, async: true

  @moduletag :slow

  import Vitrine.Guests

  alias Vitrine.Nodes

  @many 10_000

  setup_all do
    {peer, _node} = Nodes.peer!("worker_answers")
    %{peer: peer}
  end

  defp vitrine(peer, function, arguments) do
    :peer.call(peer, Vitrine, function, arguments, 120_000)
  end

  defp toml(peer, text) do
    :peer.call(peer, Vitrine.Manifest.Text, :decode, [:toml, text], 120_000)
  end

  defp many(text), do: Enum.map_join(1..@many, "\n", text)

  test "a TOML manifest's table of 10 000 keys is a map", %{peer: peer} do
    text = "[config]\n" <> many(&"k#{&1} = \"v#{&1}\"")
    {:ok, read} = toml(peer, text)
    assert read == %{"config" => Map.new(1..@many, &{"k#{&1}", "v#{&1}"})}
    assert reason(vitrine(peer, :new, [text])) == :manifest

    whole = "[[wasm]]\ndata = '(module)'\n" <> text
    assert {:ok, _plugin} = vitrine(peer, :new, [whole])
  end

  test "TOML's tables in tables, in arrays and in line are maps, each of 10 000", %{peer: peer} do
    texts = [
      many(&"[t.k#{&1}]\na = #{&1}"),
      many(&"[[t]]\na = #{&1}"),
      "t = {" <> Enum.map_join(1..@many, ", ", &"k#{&1} = {a = #{&1}}") <> "}",
      "t = [" <> Enum.map_join(1..@many, ", ", &"{a = #{&1}}") <> "]"
    ]

    for text <- texts do
      {:ok, %{"t" => read}} = toml(peer, text)

      case read do
        %{} -> assert read == Map.new(1..@many, &{"k#{&1}", %{"a" => &1}})
        list -> assert list == Enum.map(1..@many, &%{"a" => &1})
      end
    end
  end

  test "TOML is nested as deep as its parser allows", %{peer: peer} do
    keys = Enum.map_join(1..78, ".", fn _ -> "a" end)
    text = String.duplicate("{#{keys} = ", 78) <> "1" <> String.duplicate("}", 78)

    assert {:ok, %{"t" => %{"a" => _}}} = toml(peer, "t = " <> text)

    deep = "t = " <> String.duplicate("[", 100_000)
    assert {:error, message} = toml(peer, deep)
    assert message =~ "recur"
  end

  test "a TOML text of 10 000 faults is an error", %{peer: peer} do
    faults = many(&"k#{&1} = = = #{&1}")
    assert {:error, message} = toml(peer, faults)
    assert message =~ "line 1"
  end

  test "an inspection tells of 10 000 imports, exports, producers and unknown functions", %{
    peer: peer
  } do
    params = String.duplicate("i64 ", 40)

    text = """
    (module
      (@producers #{many(&~s[(sdk "p#{&1}" "1")])} #{many(&~s[(processed-by "q#{&1}" "1")])})
      (type $f (func (param #{params})))
      #{many(&~s[(import "extism:host/env" "f#{&1}" (func (type $f)))])}
      #{many(&~s[(import "env" "g#{&1}" (global i32))])}
      (memory 1) (table 1 funcref)
      #{many(&~s[(export "e#{&1}" (func #{&1 - 1}))])}
      #{many(&~s[(export "h#{&1}" (global #{&1 - 1}))])})
    """

    {:ok, found} = vitrine(peer, :inspect_plugin, [text])
    assert length(found.imports) == 2 * @many
    assert length(found.exports) == 2 * @many
    assert length(found.producers["sdk"]) == @many
    assert length(found.producers["processed-by"]) == @many
    # A fault that occurs often is told once, and counted.
    assert Enum.any?(
             found.refused,
             &(&1 =~ "this version of the Extism ABI has no such function")
           )

    assert Enum.any?(found.refused, &(&1 =~ ~r/more imports are unknown/))
    assert length(found.refused) < 30
  end

  test "a module with 10 000 exports is compiled, and one with 10 000 unknown imports is refused",
       %{
         peer: peer
       } do
    exports = many(&~s[(export "e#{&1}" (func $f))])
    {:ok, compiled} = vitrine(peer, :compile, ["(module (func $f) #{exports})"])
    {:ok, functions} = vitrine(peer, :functions, [compiled])
    assert length(functions) == @many

    imports = many(&~s[(import "env" "g#{&1}" (func))])
    assert reason(vitrine(peer, :new, ["(module #{imports})"])) == :link
    assert reason(vitrine(peer, :new, ["(module #{many(&"(func $f#{&1} i32)")}"])) == :compile
  end

  test "a snapshot of 10 000 globals is taken, and one that cannot be taken is an error",
       %{peer: peer} do
    globals = many(&"(global (mut i64) (i64.const #{&1}))")

    text = ~s"""
    (module (memory 160) #{globals}
      (func (export "fill")
        (memory.fill (i32.const 0) (i32.const 7) (i32.const 10000000))))
    """

    assert {:ok, _plugin} = vitrine(peer, :new, [text, [snapshot: "fill"]])

    table =
      ~s|(module (table 1 funcref) (func (export "fill") i32.const 0 ref.null func table.set))|

    error = error!(vitrine(peer, :new, [table, [snapshot: "fill"]]))
    assert error.reason == :snapshot
  end
end
