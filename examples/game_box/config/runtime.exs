import Config

if config_env() == :prod do
  host = System.get_env("PHX_HOST") || "localhost"

  config :game_box, GameBoxWeb.Endpoint,
    url: [host: host, port: 443, scheme: "https"],
    http: [ip: {0, 0, 0, 0, 0, 0, 0, 0}, port: String.to_integer(System.get_env("PORT", "4000"))],
    server: true,
    secret_key_base:
      System.get_env("SECRET_KEY_BASE") ||
        raise("the environment variable SECRET_KEY_BASE is missing; mix phx.gen.secret makes one")

  # The proxy that terminates https passes people's addresses on.
  config :game_box, :behind_proxy, System.get_env("GAME_BOX_BEHIND_PROXY", "1") == "1"

  # A release has no source directory.
  if games_dir = System.get_env("GAME_BOX_GAMES"), do: config(:game_box, :games_dir, games_dir)
  if data_dir = System.get_env("GAME_BOX_DATA"), do: config(:game_box, :data_dir, data_dir)
end
