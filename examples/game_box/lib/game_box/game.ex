defmodule GameBox.Game do
  @moduledoc """
  A game in the gallery: a plugin on disk and what it says of itself.

  `id` is the sha256 of its bytes, so nobody can put another one in its place.
  """

  @type t :: %__MODULE__{
          id: String.t(),
          path: Path.t(),
          title: String.t(),
          description: String.t(),
          min_players: pos_integer(),
          max_players: pos_integer(),
          tick_ms: pos_integer() | nil,
          owner: String.t() | nil
        }

  @enforce_keys [:id, :path, :title]
  defstruct [
    :id,
    :path,
    :title,
    :tick_ms,
    :owner,
    description: "",
    min_players: 2,
    max_players: 2
  ]

  alias GameBox.Limits
  alias __MODULE__

  @doc "How the gallery says how many can play."
  @spec players(t()) :: String.t()
  def players(%Game{min_players: 1, max_players: 1}), do: "1 player"
  def players(%Game{min_players: same, max_players: same}), do: "#{same} players"
  def players(%Game{min_players: min, max_players: max}), do: "#{min}–#{max} players"

  @doc "The options of `Vitrine` for any game: everything is limited, and nothing is granted."
  @spec plugin_options() :: keyword()
  def plugin_options do
    [
      # Languages with a runtime of their own want it; it gives them a clock and random numbers.
      wasi: true,
      # Of loading too, which takes a moment on a busy machine. Events of a round have less.
      timeout: Limits.get(:start_timeout_ms),
      memory: [
        max_pages: Limits.get(:memory_pages),
        max_var_bytes: Limits.get(:vars_bytes)
      ],
      limits: [output_bytes: Limits.get(:output_bytes)],
      # Nothing but Extism's functions and WASI's.
      requires: [exports: ["init_game", "handle_event", "render"], imports: []],
      log_level: :off
    ]
  end

  @doc "The options of `Vitrine.HTML` for any game's page."
  @spec html_options() :: keyword()
  # Those of priv/static/app.css that are for games.
  def html_options, do: [classes: ["game-grid", "game-button"]]
end
