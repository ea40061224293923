defmodule GameBox.Gallery do
  @moduledoc """
  The games of this node. Games that come with GameBox are in the directory `games`, in a folder each. Games that
  people have uploaded are in the data directory. Each game is a `.wasm` file. An uploaded game also has a file with
  its owner's description.

  Games are read from a table, and written by one process.
  """

  use GenServer

  alias GameBox.{Game, Limits}
  alias GameBox.Gallery.Check

  @table __MODULE__
  @topic "games"

  @doc "The topic of `:games_changed`."
  def topic, do: @topic

  @doc "Returns all games, by title."
  @spec list() :: [Game.t()]
  def list, do: @table |> :ets.tab2list() |> Enum.map(&elem(&1, 1)) |> Enum.sort_by(& &1.title)

  @doc "Returns a game by its id."
  @spec fetch(String.t()) :: {:ok, Game.t()} | :error
  def fetch(id) do
    case :ets.lookup(@table, id) do
      [{_id, game}] -> {:ok, game}
      [] -> :error
    end
  end

  @doc """
  Puts a game whose bytes were checked into the gallery, for an owner.
  """
  @spec add(binary(), Check.found(), map(), String.t()) :: {:ok, Game.t()} | {:error, String.t()}
  def add(bytes, found, about, owner) do
    title = about |> Map.get("title", "") |> text(:title_length)
    description = about |> Map.get("description", "") |> text(:description_length)

    if title == "",
      do: {:error, "A game needs a title."},
      else: GenServer.call(__MODULE__, {:add, bytes, found, title, description, owner})
  end

  @doc "Removes a game, for its owner. Rounds that play it go on."
  @spec delete(String.t(), String.t()) :: :ok | {:error, :not_owner}
  def delete(id, owner), do: GenServer.call(__MODULE__, {:delete, id, owner})

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @impl true
  def init(nil) do
    :ets.new(@table, [:named_table, read_concurrency: true])
    File.mkdir_p!(directory())
    {:ok, nil, {:continue, :load}}
  end

  @impl true
  # Games that come with GameBox are compiled and asked like any other game, which takes a moment.
  def handle_continue(:load, state) do
    for path <- Path.wildcard(Path.join(built_in(), "*/*.wasm")),
        bytes = File.read!(path),
        {:ok, found} <- [Check.run(bytes)],
        do: put(game(found, path, found.title || Path.basename(path, ".wasm"), found.description))

    for path <- Path.wildcard(Path.join(directory(), "*.wasm")),
        {:ok, text} <- [File.read(about(path))],
        {:ok, about} <- [Jason.decode(text)],
        do: put(saved(path, about))

    changed()
    {:noreply, state}
  end

  @impl true
  def handle_call({:add, bytes, found, title, description, owner}, _from, state) do
    games = list()

    cond do
      :ets.member(@table, found.id) ->
        {:reply, {:error, "This game is in the gallery already."}, state}

      length(games) >= Limits.get(:games) ->
        {:reply, {:error, "The gallery is full."}, state}

      Enum.count(games, &(&1.owner == owner)) >= Limits.get(:games_of_one_owner) ->
        {:reply, {:error, "You have as many games in the gallery as you may."}, state}

      true ->
        path = Path.join(directory(), found.id <> ".wasm")
        game = %{game(found, path, title, description) | owner: owner}
        File.write!(path, bytes)
        File.write!(about(path), Jason.encode!(Map.delete(Map.from_struct(game), :path)))
        put(game)
        changed()
        {:reply, {:ok, game}, state}
    end
  end

  def handle_call({:delete, id, owner}, _from, state) do
    case fetch(id) do
      {:ok, %Game{owner: ^owner} = game} when owner != nil ->
        :ets.delete(@table, id)
        File.rm(game.path)
        File.rm(about(game.path))
        changed()
        {:reply, :ok, state}

      _other ->
        {:reply, {:error, :not_owner}, state}
    end
  end

  defp put(game), do: :ets.insert(@table, {game.id, game})
  defp changed, do: Phoenix.PubSub.broadcast(GameBox.PubSub, @topic, :games_changed)

  defp game(found, path, title, description) do
    %Game{
      id: found.id,
      path: path,
      title: text(title, :title_length),
      description: text(description || "", :description_length),
      min_players: found.min_players,
      max_players: found.max_players,
      tick_ms: found.tick_ms
    }
  end

  defp saved(path, about) do
    %Game{
      id: about["id"],
      path: path,
      title: about["title"],
      description: about["description"],
      min_players: about["min_players"],
      max_players: about["max_players"],
      tick_ms: about["tick_ms"],
      owner: about["owner"]
    }
  end

  defp text(text, limit),
    do: text |> to_string() |> String.trim() |> String.slice(0, Limits.get(limit))

  defp about(path), do: Path.rootname(path) <> ".json"
  defp built_in, do: Application.fetch_env!(:game_box, :games_dir)
  defp directory, do: Path.join(Application.fetch_env!(:game_box, :data_dir), "games")
end
