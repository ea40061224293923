defmodule Vitrine.Pool.Owner do
  @moduledoc false
  # The processes of this node as integers that fit into a gauge. One atomic step can then take a slot and say whose it
  # is.
  #
  # In the external term format a pid is a node, an id, a serial and a creation of 32 bits each. On one node, id and
  # serial identify a process. The process <0.0.0> makes no calls, so 0 stands for no owner.

  @doc "Returns the integer of a process of this node."
  @spec encode(pid()) :: pos_integer()
  def encode(pid) when node(pid) == node() do
    {_node, number, _creation} = parts(pid)
    number
  end

  @doc "Returns the process with this integer, alive or dead."
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
