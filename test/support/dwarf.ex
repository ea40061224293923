defmodule Vitrine.Dwarf do
  @moduledoc """
  Debug information written by hand, of a module with one function that traps: `run`, whose code is line 42
  of `/made/src/guest.c`.
  """

  # Attributes and forms of an entry.
  @stmt_list <<0x10, 0x17>>
  @comp_dir <<0x1B, 0x08>>
  @pcs <<0x11, 0x01, 0x12, 0x06>>

  @tags %{
    unit: 0x11,
    function: 0x2E,
    inlined: 0x1D,
    block: 0x0B,
    structure: 0x13,
    pointer: 0x0F,
    namespace: 0x39
  }

  @doc "The module, with sections of debug information by their names without `.debug_`."
  def module(sections) do
    customs =
      for {name, bytes} <- sections do
        section(0, [counted(".debug_#{name}"), bytes])
      end

    IO.iodata_to_binary([
      <<0, "asm", 1::32-little>>,
      section(1, <<1, 0x60, 0, 0>>),
      section(3, <<1, 0>>),
      section(7, [1, counted("run"), 0, 0]),
      section(10, <<1, 3, 0, 0x00, 0x0B>>),
      customs
    ])
  end

  @doc "Makes a plugin of a module and calls `run`."
  def run(module, options) do
    with {:ok, plugin} <- Vitrine.new(module, options), do: Vitrine.call(plugin, "run")
  end

  @doc "A unit of version 4 with the function, the bytes of whose inner entries are given."
  def unit(inner) do
    [unit_entry(), function_entry(), inner, 0, 0] |> unit_of(<<4::16-little, 0::32-little, 4>>)
  end

  @doc "The entry of the unit with its line program at the beginning of `.debug_line`."
  def unit_entry, do: <<code(:unit), 0::32-little, "/made", 0, 2::32-little, 3::32-little>>

  @doc "The entry of the function, whose end is to follow."
  def function_entry, do: <<code(:function), 2::32-little, 3::32-little>>

  @doc "A unit of entries, after what stands between its length and them."
  def unit_of(entries, header) do
    bytes = IO.iodata_to_binary([header, entries])
    [<<byte_size(bytes)::32-little>>, bytes]
  end

  @doc "The code by which an entry refers to its abbreviation."
  def code(kind),
    do:
      Map.fetch!(
        %{unit: 1, function: 2, inlined: 3, block: 4, structure: 5, pointer: 6, namespace: 7},
        kind
      )

  @doc "The abbreviations of all kinds; but for those of the unit and the function they have no attributes."
  def abbreviations do
    kinds = [:unit, :function, :inlined, :block, :structure, :pointer, :namespace]

    [
      for kind <- kinds do
        attributes =
          case kind do
            :unit -> [@stmt_list, @comp_dir, @pcs]
            :function -> @pcs
            _ -> []
          end

        [code(kind), Map.fetch!(@tags, kind), 1, attributes, 0, 0]
      end,
      0
    ]
  end

  @doc "So many entries of a kind within each other."
  def nested(kind, depth), do: [:binary.copy(<<code(kind)>>, depth), :binary.copy(<<0>>, depth)]

  @doc "A line program of version 4, with instructions before those that say line 42."
  def lines(before \\ []) do
    # At an address 41 lines more, a row, three bytes more, the end.
    program = [before, <<0, 5, 2, 2::32-little>>, <<3, 41, 1, 2, 3, 0, 1, 1>>]
    program(["src", 0, 0], ["guest.c", 0, 1, 0, 0, 0], program)
  end

  @doc "A line program of version 4 of directories, files and instructions."
  def program(directories, files, program) do
    prologue = <<1, 1, 1, -5::signed, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1>>
    header = IO.iodata_to_binary([prologue, directories, files])
    rest = IO.iodata_to_binary([<<byte_size(header)::32-little>>, header, program])
    [<<byte_size(rest) + 2::32-little, 4::16-little>>, rest]
  end

  defp section(id, content) do
    bytes = IO.iodata_to_binary(content)
    [id, leb(byte_size(bytes)), bytes]
  end

  defp counted(name), do: [leb(byte_size(name)), name]

  @doc "An unsigned number in LEB128."
  def leb(number) when number < 128, do: <<number>>
  def leb(number), do: <<1::1, rem(number, 128)::7, leb(div(number, 128))::binary>>
end
