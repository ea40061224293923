defmodule Vitrine.Error.DebugInfoTest do
  # Debug information is a guest's own, and could end the VM: so another one reads it.
  use ExUnit.Case, async: true

  @moduletag :slow

  import Vitrine.{Dwarf, Guests}

  alias Vitrine.Nodes

  setup_all do
    {peer, _node} = Nodes.peer!("debug_info")
    %{peer: peer}
  end

  # The frame of a call that traps, in a module with these sections.
  defp frame(peer, sections) do
    module = module(Map.merge(%{abbrev: abbreviations(), line: lines()}, Map.new(sections)))
    error = error!(:peer.call(peer, Vitrine.Dwarf, :run, [module, [debug_info: true]], 60_000))
    assert error.reason == :trap
    assert [frame] = error.backtrace
    frame
  end

  defp placed(peer, sections) do
    assert %{file: "/made/src/guest.c", line: 42, offset: offset} = frame(peer, sections)
    assert is_integer(offset)
  end

  test "3 000 subroutines that are inlined within each other are read in time", %{peer: peer} do
    placed(peer, info: unit(nested(:inlined, 3_000)))
  end

  test "a million entries of any kind are read in time", %{peer: peer} do
    for kind <- [:inlined, :block, :structure, :pointer, :namespace, :function, :unit] do
      placed(peer, info: unit(nested(kind, 1_000_000)))
    end
  end

  test "nested units and trees without an end are read in time", %{peer: peer} do
    open = [unit_entry(), function_entry(), :binary.copy(<<code(:inlined)>>, 100_000)]
    placed(peer, info: unit_of(open, <<4::16-little, 0::32-little, 4>>))
  end

  test "100 000 units with one table of 100 000 abbreviations are read at once", %{peer: peer} do
    others = for number <- 100..100_099, do: [leb(number), 0x34, 0, 0x3F, 0x19, 0, 0]

    small =
      unit_of(
        [code(:unit), <<0::32-little>>, "/made", 0, <<0::64>>],
        <<4::16-little, 0::32-little, 4>>
      )

    [unit, others_end] = [IO.iodata_to_binary(abbreviations()), 0]
    table = [others, binary_part(unit, 0, byte_size(unit) - 1), others_end]
    units = List.duplicate(small, 100_000)
    # The answer for the first unit is enough; the call does not wait for the others.
    assert %{line: 42} = frame(peer, abbrev: table, info: [unit([]), units])
  end

  # Each file takes a byte there, and a hundred when it is read.
  test "a header of a million files of a byte each is not read, and one of a thousand is", %{
    peer: peer
  } do
    assert %{file: nil, line: nil} = frame(peer, line: lines_of_tiny_files(1_000_000))
    assert %{line: 42} = frame(peer, line: lines_of_tiny_files(1_000))
  end

  defp lines_of_tiny_files(count) do
    # Version 5: one directory and these files, whose paths are numbers.
    header = [
      <<1, 1, 1, -5::signed, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1>>,
      <<1, 1, 0x0F, 1, 0, 1, 1, 0x0F>>,
      leb(count),
      :binary.copy(<<0>>, count)
    ]

    program = <<0, 5, 2, 2::32-little, 3, 41, 1, 2, 3, 0, 1, 1>>
    rest = [<<5::16-little, 4, 0, IO.iodata_length(header)::32-little>>, header, program]
    IO.iodata_to_binary([<<IO.iodata_length(rest)::32-little>>, rest])
  end

  test "an entry of 100 000 attributes and strings that 100 000 files share are read in time", %{
    peer: peer
  } do
    directory = String.duplicate("d", 1_000_000)
    files = for number <- 1..100_000, do: ["f#{number}", 0, 1, 0, 0]

    many =
      for number <- 1..100_000 do
        # The file, a row, a byte more.
        [4, leb(number), 1, 2, 1]
      end

    lines = [lines(), program([directory, 0, 0], [files, 0], [<<0, 5, 2, 2::32-little>>, many])]
    attributes = List.duplicate(<<0x3F, 0x19>>, 100_000)

    table = [
      code(:unit),
      0x11,
      1,
      <<0x10, 0x17, 0x1B, 0x08, 0x11, 0x01, 0x12, 0x06>>,
      attributes,
      0,
      0,
      0
    ]

    placed(peer,
      abbrev: table,
      line: lines,
      info: unit_of(unit_entry(), <<4::16-little, 0::32-little, 4>>)
    )
  end

  test "a line program of a million rows outside the code or at one address is read in time", %{
    peer: peer
  } do
    placed(peer, info: unit([]), line: lines([:binary.copy(<<2, 1, 1>>, 1_000_000), 0, 1, 1]))
    placed(peer, info: unit([]), line: lines([:binary.copy(<<1>>, 1_000_000), 0, 1, 1]))
  end

  test "split units, ranges that refer to each other and damage are tolerated", %{peer: peer} do
    skeleton = [unit_entry()] |> unit_of(<<5::16-little, 4, 4, 0::32-little, 7::64>>)
    placed(peer, info: [unit([]), skeleton], cu_index: :binary.copy(<<255>>, 100))

    for name <- [:ranges, :rnglists, :loc, :loclists, :aranges, :str, :str_offsets, :addr, :types] do
      placed(peer, [{:info, unit([])}, {name, :binary.copy(<<1, 255>>, 100_000)}])
    end

    for sections <- [[info: "x"], [abbrev: "x"], [info: :binary.copy(<<255>>, 100)]] do
      assert %{line: 42} = frame(peer, sections)
    end

    assert %{line: nil, file: nil} = frame(peer, line: "x", info: unit([]))
  end

  test "a native debugger's information is read where it is asked for", %{peer: peer} do
    options = [debug_info: :native]
    {:ok, plugin} = :peer.call(peer, Vitrine, :new, [wasm("c_debug"), options], 60_000)
    assert %Vitrine.Plugin{} = plugin
  end
end
