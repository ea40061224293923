defmodule Vitrine.Pool.Owner do
  @moduledoc false
  # The processes of this node as integers that fit into a gauge, so that a slot can be taken and
  # marked as somebody's in one atomic step.
  #
  # In the external term format a pid is a node, 32 bits of id, 32 of serial and 32 of creation; on
  # one node id and serial tell processes apart. No process that calls is <0.0.0>, so 0 is nobody.

  @doc "The integer of a process of this node."
  @spec encode(pid()) :: pos_integer()
  def encode(pid) when node(pid) == node() do
    {_node, number, _creation} = parts(pid)
    number
  end

  @doc "The process with this integer, alive or dead."
  @spec decode(pos_integer()) :: pid()
  def decode(number) do
    {node, _self, creation} = parts(self())
    :erlang.binary_to_term(<<node::binary, number::64, creation::binary>>)
  end

  defp parts(pid) do
    bytes = :erlang.term_to_binary(pid)
    head = byte_size(bytes) - 12
    <<number::64, creation::binary>> = binary_part(bytes, head, 12)
    {binary_part(bytes, 0, head), number, creation}
  end
end
