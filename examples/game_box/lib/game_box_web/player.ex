defmodule GameBoxWeb.Player do
  @moduledoc "Puts the viewer of a page into its socket: the secret id of the browser, and its address."

  import Phoenix.Component

  def on_mount(:default, _params, session, socket) do
    id = Map.fetch!(session, "player_id")
    who = %{session: id, peer: GameBoxWeb.Peer.address(socket)}
    {:cont, assign(socket, player_id: id, who: who, page_title: nil)}
  end
end
