defmodule GameBox.Limits do
  @moduledoc """
  All limits, in one place. `config :game_box, :limits` changes single limits.
  """

  @defaults %{
    # Limits of this node.
    arenas: 500,
    games: 200,
    checks: 2,
    # Limits of one arena.
    players: 32,
    viewers: 300,
    # How many wrong codes a person may enter, and how many arenas open, in a span of time.
    tries: 12,
    tries_of_address: 60,
    openings: 12,
    openings_of_address: 60,
    tries_span_ms: 600_000,
    # Limits of one upload.
    upload_bytes: 8_388_608,
    title_length: 40,
    description_length: 200,
    games_of_one_owner: 10,
    check_ms: 20_000,
    # Limits of a game's plugin.
    memory_pages: 512,
    output_bytes: 524_288,
    vars_bytes: 1_048_576,
    event_timeout_ms: 2_000,
    start_timeout_ms: 10_000,
    min_tick_ms: 100,
    max_players: 20,
    # How long an arena waits for a person to come back, and for its host.
    empty_after_ms: 60_000,
    host_gone_after_ms: 20_000,
    # How old a saved arena may be to be opened again.
    saved_for_ms: 3_600_000
  }

  @doc "Returns a limit by its name."
  @spec get(atom()) :: pos_integer()
  def get(name) do
    :game_box
    |> Application.get_env(:limits, [])
    |> Keyword.get_lazy(name, fn -> Map.fetch!(@defaults, name) end)
  end
end
