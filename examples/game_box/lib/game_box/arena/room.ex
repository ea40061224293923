defmodule GameBox.Arena.Room do
  @moduledoc """
  The rules of an arena, as plain data: who is in it, who is its host, what is played. This module has no process. All
  rights are checked here and nowhere else.

  Players are identified by the secret id of their browser. Other players and games know them by their names. A viewer
  without a name is a spectator.
  """

  alias GameBox.{Game, Limits}
  alias __MODULE__

  @type player :: %{id: String.t(), name: String.t(), order: integer(), online: boolean()}
  @type phase :: :lobby | :starting | :playing
  @type round :: %{number: pos_integer(), game: Game.t(), players: [String.t()]}
  @type refusal ::
          :bad_name
          | :name_taken
          | :full
          | :not_host
          | :no_game
          | :too_few
          | :too_many
          | :playing
          | :not_playing

  @type t :: %Room{
          code: String.t(),
          host: String.t() | nil,
          players: %{optional(String.t()) => player()},
          spectators: non_neg_integer(),
          game: Game.t() | nil,
          phase: phase(),
          round: round() | nil,
          rounds: non_neg_integer()
        }

  @enforce_keys [:code]
  defstruct [:code, :host, :game, :round, players: %{}, spectators: 0, phase: :lobby, rounds: 0]

  @doc "Parses a name that a person typed, as others will see it."
  @spec name(term()) :: {:ok, String.t()} | {:error, :bad_name}
  def name(text) when is_binary(text) do
    name = text |> String.trim() |> String.upcase()

    if String.length(name) in 2..12 and name =~ ~r/\A[\p{L}\p{N}][\p{L}\p{N} ._-]*\z/u,
      do: {:ok, name},
      else: {:error, :bad_name}
  end

  def name(_other), do: {:error, :bad_name}

  @doc "Lets a player in, or back in, possibly under another name. The first player is the host."
  @spec join(t(), String.t(), String.t()) :: {:ok, t()} | {:error, refusal()}
  def join(room, id, name) do
    with {:ok, name} <- name(name),
         room = without_the_gone(room, id),
         :ok <- free(room, id, name),
         :ok <- place(room, id) do
      order = Enum.max(for({_, player} <- room.players, do: player.order), fn -> 0 end) + 1
      player = Map.get(room.players, id, %{id: id, order: order, online: false, name: name})
      # A name cannot change during a round, because the game knows the players by their names.
      player = if in_round?(room, player.name), do: player, else: %{player | name: name}
      {:ok, %{room | players: Map.put(room.players, id, player), host: room.host || id}}
    end
  end

  # A player who left, and does not play in a round, gives up place and name to a new player.
  defp without_the_gone(room, id) do
    gone =
      for {other, player} <- room.players,
          other != id and other != room.host and not player.online,
          not in_round?(room, player.name),
          do: other

    %{room | players: Map.drop(room.players, gone)}
  end

  defp free(room, id, name) do
    taken? =
      Enum.any?(room.players, fn {other, player} -> other != id and player.name == name end)

    reserved? = room.round != nil and name in room.round.players and name_of(room, id) != name
    if taken? or reserved?, do: {:error, :name_taken}, else: :ok
  end

  defp place(%{players: players}, id) do
    if is_map_key(players, id) or map_size(players) < Limits.get(:players),
      do: :ok,
      else: {:error, :full}
  end

  @doc "Records whether a player's browser is online."
  @spec online(t(), String.t(), boolean()) :: t()
  def online(%{players: players} = room, id, online?) when is_map_key(players, id),
    do: put_in(room.players[id].online, online?)

  def online(room, _id, _online?), do: room

  @doc "Makes the player who has been there longest the host, if the host is gone."
  @spec replace_host(t()) :: t()
  def replace_host(room) do
    with false <- online?(room, room.host), [next | _] <- online_players(room) do
      %{room | host: next.id}
    else
      _ -> room
    end
  end

  @doc "The host chooses a game, or with `nil` goes back to the gallery."
  @spec select(t(), String.t(), Game.t() | nil) :: {:ok, t()} | {:error, refusal()}
  def select(room, by, game) do
    with :ok <- host(room, by),
         :ok <- phase(room, :lobby, :playing),
         do: {:ok, %{room | game: game}}
  end

  @doc """
  The host starts the game for the players who are online. It takes as many as the game allows, those who have been there
  longest first.
  """
  @spec start(t(), String.t()) :: {:ok, t()} | {:error, refusal()}
  def start(room, by) do
    with :ok <- host(room, by),
         :ok <- phase(room, :lobby, :playing),
         {:ok, names} <- starters(room) do
      number = room.rounds + 1
      round = %{number: number, game: room.game, players: names}
      {:ok, %{room | phase: :starting, rounds: number, round: round}}
    end
  end

  @doc "Returns the players who would play, or why the game cannot start."
  @spec starters(t()) :: {:ok, [String.t()]} | {:error, refusal()}
  def starters(%{game: nil}), do: {:error, :no_game}

  def starters(%{game: game} = room) do
    names = for player <- online_players(room), do: player.name

    if length(names) < game.min_players,
      do: {:error, :too_few},
      else: {:ok, Enum.take(names, game.max_players)}
  end

  @doc "Records that the game has started, or could not start."
  @spec started(t(), boolean()) :: t()
  def started(%{phase: :starting} = room, true), do: %{room | phase: :playing}
  def started(%{phase: :starting} = room, false), do: %{room | phase: :lobby, round: nil}
  def started(room, _begun?), do: room

  @doc "The host ends the round. The game stays chosen."
  @spec finish(t(), String.t()) :: {:ok, t()} | {:error, refusal()}
  def finish(room, by) do
    with :ok <- host(room, by),
         :ok <- phase(room, :playing, :not_playing),
         do: {:ok, %{room | phase: :lobby, round: nil}}
  end

  @doc "Returns the name by which a game knows a viewer who plays, or `nil` for other viewers."
  @spec viewer(t(), String.t() | nil) :: String.t() | nil
  def viewer(room, id) do
    name = name_of(room, id)
    if in_round?(room, name), do: name
  end

  @doc "Returns the players who are online, in the order in which they came."
  @spec online_players(t()) :: [player()]
  def online_players(room), do: for(player <- players(room), player.online, do: player)

  @doc "Returns all players, in the order in which they came."
  @spec players(t()) :: [player()]
  def players(room), do: Enum.sort_by(Map.values(room.players), & &1.order)

  @doc "Returns the players of the round who are not online."
  @spec missing(t()) :: [String.t()]
  def missing(%{round: nil}), do: []

  def missing(room),
    do: room.round.players -- for(player <- online_players(room), do: player.name)

  @doc "Returns a player's name."
  @spec name_of(t(), String.t() | nil) :: String.t() | nil
  def name_of(room, id) do
    case room.players do
      %{^id => player} -> player.name
      _ -> nil
    end
  end

  defp in_round?(%{round: nil}, _name), do: false
  defp in_round?(%{round: round}, name), do: name in round.players

  defp online?(room, id), do: match?(%{^id => %{online: true}}, room.players)

  defp host(%{host: host}, by) when host != nil and host == by, do: :ok
  defp host(_room, _by), do: {:error, :not_host}

  defp phase(%{phase: phase}, phase, _refusal), do: :ok
  defp phase(_room, _phase, refusal), do: {:error, refusal}
end
