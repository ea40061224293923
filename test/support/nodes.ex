defmodule Vitrine.Nodes do
  @moduledoc "Other nodes for tests, on loopback, that end with the process that starts them."

  @doc "A node on which Vitrine runs: the process to reach it by, and its name."
  def peer!(name) do
    paths = Enum.flat_map(:code.get_path(), &[~c"-pa", &1])

    {:ok, peer, node} =
      :peer.start_link(%{
        name: String.to_charlist("vitrine_#{name}_#{System.pid()}"),
        host: ~c"127.0.0.1",
        longnames: true,
        connection: :standard_io,
        args: [~c"-setcookie", ~c"vitrine" | paths]
      })

    {:ok, _} = :peer.call(peer, Application, :ensure_all_started, [:vitrine])
    {peer, node}
  end

  @doc "A host function that dies of a process which it is linked to."
  def die_of_a_link(_input) do
    spawn_link(fn -> exit(:of_its_own) end)
    Process.sleep(:infinity)
  end
end
