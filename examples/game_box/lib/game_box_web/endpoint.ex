defmodule GameBoxWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :game_box

  @session [
    store: :cookie,
    key: "_game_box",
    signing_salt: "who is it",
    same_site: "Lax",
    http_only: true,
    max_age: 30 * 24 * 3600
  ]

  @connect_info [:peer_data, :x_headers, session: @session]

  socket("/live", Phoenix.LiveView.Socket,
    websocket: [connect_info: @connect_info, max_frame_size: 1_048_576],
    longpoll: [connect_info: @connect_info]
  )

  plug(Plug.Static, at: "/", from: :game_box, only: ~w(app.css app.js icon.svg))

  # The JavaScript of Phoenix comes with its packages, so nothing has to be built.
  plug(Plug.Static, at: "/js/phoenix", from: {:phoenix, "priv/static"}, only: ~w(phoenix.min.js))

  plug(Plug.Static,
    at: "/js/live_view",
    from: {:phoenix_live_view, "priv/static"},
    only: ~w(phoenix_live_view.min.js)
  )

  plug(Plug.RequestId)
  plug(Plug.Telemetry, event_prefix: [:phoenix, :endpoint])
  plug(Plug.Parsers, parsers: [:urlencoded], length: 65_536)
  plug(Plug.MethodOverride)
  plug(Plug.Head)
  plug(Plug.Session, @session)
  plug(GameBoxWeb.Router)
end
