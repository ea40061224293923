defmodule GameBox.MixProject do
  use Mix.Project

  def project do
    [
      app: :game_box,
      version: "0.1.0",
      elixir: "~> 1.14",
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      deps: deps()
    ]
  end

  def application do
    [mod: {GameBox.Application, []}, extra_applications: [:logger, :runtime_tools]]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  # Elixir 1.14 needs Phoenix 1.7, LiveView 0.20 and a Bandit before 1.11.
  defp deps do
    [
      {:vitrine, path: "../.."},
      {:phoenix, "~> 1.7.10 or ~> 1.8"},
      {:phoenix_live_view, "~> 0.20.17 or ~> 1.0"},
      {:phoenix_html, "~> 4.1"},
      {:phoenix_pubsub, "~> 2.1"},
      {:bandit, "~> 1.5"},
      {:jason, "~> 1.4"},
      # LiveViewTest reads pages with the first library until LiveView 1.0, and with the second since 1.1.
      {:floki, "~> 0.36", only: :test},
      {:lazy_html, "~> 0.1", only: :test}
    ]
  end
end
