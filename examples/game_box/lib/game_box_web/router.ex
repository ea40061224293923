defmodule GameBoxWeb.Router do
  use Phoenix.Router, helpers: false

  import Phoenix.LiveView.Router
  import Plug.Conn

  # Only scripts and connections of this site are allowed. Plugins may have their own styles, but no scripts. Scripts are
  # removed from what plugins render, and would not run otherwise.
  @policy "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " <>
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

  pipeline :browser do
    plug(:accepts, ["html"])
    plug(:fetch_session)
    plug(:fetch_live_flash)
    plug(:put_root_layout, html: {GameBoxWeb.Layouts, :root})
    plug(:protect_from_forgery)
    plug(:put_secure_browser_headers, %{"content-security-policy" => @policy})
    plug(:put_player)
  end

  scope "/", GameBoxWeb do
    pipe_through(:browser)

    live_session :default, on_mount: GameBoxWeb.Player do
      live("/", HomeLive)
      live("/arena/:code", ArenaLive, :play)
      live("/arena/:code/watch", ArenaLive, :watch)
      live("/games", GamesLive)
      live("/games/new", UploadLive)
    end
  end

  # Only a person's own browser knows their identity.
  defp put_player(conn, _options) do
    if get_session(conn, :player_id),
      do: conn,
      else: put_session(conn, :player_id, Base.url_encode64(:crypto.strong_rand_bytes(18)))
  end
end
