import Config

config :game_box, GameBoxWeb.Endpoint,
  http: [ip: {127, 0, 0, 1}, port: String.to_integer(System.get_env("PORT", "4002"))],
  server: System.get_env("GAME_BOX_SERVER") == "1",
  secret_key_base: String.duplicate("game box under test ", 4)

config :game_box,
       :data_dir,
       System.get_env("GAME_BOX_DATA_DIR") ||
         Path.join(System.tmp_dir!(), "game_box_test_#{System.pid()}")

# Tests do not wait for people.
config :game_box, :limits, host_gone_after_ms: 1_000, event_timeout_ms: 1_000

config :logger, level: :warning
