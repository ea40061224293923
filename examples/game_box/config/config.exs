import Config

config :game_box, GameBoxWeb.Endpoint,
  adapter: Bandit.PhoenixAdapter,
  url: [host: "localhost"],
  render_errors: [formats: [html: GameBoxWeb.ErrorHTML], layout: false],
  pubsub_server: GameBox.PubSub,
  live_view: [signing_salt: "a board of nine"]

# The games that come with GameBox.
config :game_box, :games_dir, Path.expand("../games", __DIR__)

# Uploaded games, and the last state of the arenas.
config :game_box, :data_dir, Path.expand("../data", __DIR__)

config :phoenix, :json_library, Jason

import_config "#{config_env()}.exs"
