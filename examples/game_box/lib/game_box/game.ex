defmodule GameBox.Game do
  @moduledoc """
  A game in the gallery: a plugin on disk and its own description.

  `id` is the sha256 of its bytes, so it cannot be replaced by another game.
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

  @doc "Returns the number of players, as the gallery shows it."
  @spec players(t()) :: String.t()
  def players(%Game{min_players: 1, max_players: 1}), do: "1 player"
  def players(%Game{min_players: same, max_players: same}), do: "#{same} players"
  def players(%Game{min_players: min, max_players: max}), do: "#{min}–#{max} players"

  @doc "Returns the options of `Vitrine` for any game. Everything is limited, and nothing is granted."
  @spec plugin_options() :: keyword()
  def plugin_options do
    [
      # Languages with their own runtime need WASI. It gives them a clock and random numbers only.
      wasi: true,
      # The timeout also applies to loading, which takes a moment on a busy machine. Events of a round have a shorter one.
      timeout: Limits.get(:start_timeout_ms),
      memory: [
        max_pages: Limits.get(:memory_pages),
        max_var_bytes: Limits.get(:vars_bytes)
      ],
      limits: [output_bytes: Limits.get(:output_bytes)],
      # A game may only import functions of Extism and WASI.
      requires: [exports: ["init_game", "handle_event", "render"], imports: []],
      log_level: :off
    ]
  end

  @doc "Returns the options of `Vitrine.HTML` for any game's page."
  @spec html_options() :: keyword()
  # The classes of priv/static/app.css that are for games.
  def html_options, do: [classes: ["game-grid", "game-button"]]
end
