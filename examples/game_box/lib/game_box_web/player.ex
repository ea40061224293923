defmodule GameBoxWeb.Player do
  @moduledoc "Puts who looks at a page into its socket: the secret id of the browser."

  import Phoenix.Component

  def on_mount(:default, _params, session, socket),
    do: {:cont, assign(socket, player_id: Map.fetch!(session, "player_id"), page_title: nil)}
end
