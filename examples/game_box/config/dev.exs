import Config

config :game_box, GameBoxWeb.Endpoint,
  http: [ip: {127, 0, 0, 1}, port: String.to_integer(System.get_env("PORT", "4000"))],
  server: true,
  debug_errors: true,
  # This key is for development only. A real key comes from the environment, see runtime.exs.
  secret_key_base: String.duplicate("game box in development ", 4)

config :logger, :console, format: "$time [$level] $message\n"
