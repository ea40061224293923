defmodule GameBox.Elsewhere do
  @moduledoc "Runs GameBox on another node, for tests of a cluster."

  alias GameBox.{Arena, Round}
  alias Vitrine.LiveView.{Options, Session}

  @doc "Starts a node with GameBox. The node ends with the calling process."
  def start! do
    unless Node.alive?() do
      System.cmd("epmd", ["-daemon"])
      {:ok, _} = distribute(20)
    end

    {:ok, peer, node} =
      :peer.start_link(%{
        name: :peer.random_name(),
        args: [~c"-setcookie", ~c"#{Node.get_cookie()}"]
      })

    :erpc.call(node, :code, :add_paths, [:code.get_path()])

    for {application, _, _} <- Application.loaded_applications(),
        {key, value} <- Application.get_all_env(application),
        application in [:game_box, :phoenix, :vitrine, :logger],
        do: :erpc.call(node, Application, :put_env, [application, key, value])

    data_dir = Path.join(System.tmp_dir!(), "game_box_#{node}")
    :erpc.call(node, Application, :put_env, [:game_box, :data_dir, data_dir])
    {:ok, _} = :erpc.call(node, Application, :ensure_all_started, [:game_box])
    # Both nodes know all names once they are connected.
    :erpc.call(node, :global, :sync, [])
    {peer, node}
  end

  # The command that starts epmd returns before epmd listens.
  defp distribute(tries) do
    case :net_kernel.start([:"game_box_#{System.pid()}", :shortnames]) do
      {:error, _no_epmd} when tries > 1 ->
        Process.sleep(100)
        distribute(tries - 1)

      started ->
        started
    end
  end

  @doc "Sends `to` each render that a spectator of an arena on that node would see."
  def watch(code, to) do
    spawn(fn ->
      {:ok, room} = Arena.look(code, nil)
      options = Options.check!(:board, Round.view(room, nil))
      {state, session} = Session.join(Session.new(:board, options))
      send(to, {:joined, state, node()})
      seen(session, to)
    end)
  end

  defp seen(%{tag: tag} = session, to) do
    receive do
      {:vitrine_live_view, ^tag, :rendered} ->
        with {:ok, tree} <- Session.result(session),
             do: send(to, {:seen, IO.iodata_to_binary(Vitrine.HTML.to_iodata(tree))})

      _news ->
        :ok
    end

    seen(session, to)
  end
end
