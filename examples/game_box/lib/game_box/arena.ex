defmodule GameBox.Arena do
  @moduledoc """
  An arena, in which people who have its code of four letters play one game after the other.

  An arena is one process in the whole cluster, and is found by its code from each node. All requests of browsers go
  through this module. `GameBox.Arena.Room` checks who may do what.
  """

  alias GameBox.{Game, Limits}
  alias GameBox.Arena.{Code, Room, Server, Tries}

  @doc "Opens an arena with a free code. The player becomes its host."
  @spec open(String.t(), String.t()) ::
          {:ok, String.t()} | {:error, Room.refusal() | :no_arena_free}
  def open(player_id, name, tries \\ 10)

  def open(_player_id, _name, 0), do: {:error, :no_arena_free}

  def open(player_id, name, tries) do
    code = Code.random()

    with {:ok, _name} <- Room.name(name),
         true <- DynamicSupervisor.count_children(GameBox.Arenas).active < Limits.get(:arenas),
         {:ok, _pid} <- start(code, :new),
         {:ok, _room} <- join(code, player_id, name) do
      {:ok, code}
    else
      false -> {:error, :no_arena_free}
      {:error, {:already_started, _}} -> open(player_id, name, tries - 1)
      {:error, refusal} -> {:error, refusal}
    end
  end

  @doc "Like `open/2`, for a person who may be trying to open too many arenas."
  @spec open_for(Tries.who(), String.t()) ::
          {:ok, String.t()} | {:error, Room.refusal() | :no_arena_free | :too_many_arenas}
  def open_for(who, name) do
    with :ok <- Tries.pay(who, :arena), {:ok, code} <- open(who.session, name) do
      {:ok, code}
    else
      {:error, :too_many_tries} ->
        {:error, :too_many_arenas}

      {:error, refusal} ->
        Tries.give_back(who, :arena)
        {:error, refusal}
    end
  end

  @doc """
  Like `find/1`, for a person who may be trying out codes. A player of an arena always finds it, because their browser
  reconnects.
  """
  @spec find(String.t(), Tries.who()) ::
          {:ok, String.t()} | {:error, :no_such_arena | :too_many_tries}
  def find(text, who) do
    with :ok <- Tries.pay(who, :code), {:ok, code} <- find(text) do
      Tries.give_back(who, :code)
      {:ok, code}
    else
      {:error, :no_such_arena} -> {:error, :no_such_arena}
      {:error, :too_many_tries} -> find_own(text, who)
    end
  end

  defp find_own(text, who) do
    with {:ok, code} <- find(text),
         {:ok, %Room{players: %{} = players}} when is_map_key(players, who.session) <- room(code) do
      {:ok, code}
    else
      _ -> {:error, :too_many_tries}
    end
  end

  @doc """
  Returns the code of an arena that exists, on any node. An arena that was saved here when this node was stopped is
  opened again.
  """
  @spec find(String.t()) :: {:ok, String.t()} | {:error, :no_such_arena}
  def find(text) do
    with {:ok, code} <- Code.parse(text), true <- running?(code) or opened_again?(code) do
      {:ok, code}
    else
      _ -> {:error, :no_such_arena}
    end
  end

  defp running?(code), do: GenServer.whereis(Server.name(code)) != nil

  defp opened_again?(code) do
    case start(code, :saved) do
      {:ok, _pid} -> true
      {:error, {:already_started, _pid}} -> true
      _ignored -> false
    end
  end

  defp start(code, new_or_saved),
    do: DynamicSupervisor.start_child(GameBox.Arenas, {Server, {code, new_or_saved}})

  @doc "Lets a player in, or back in."
  @spec join(String.t(), String.t(), String.t()) ::
          {:ok, Room.t()} | {:error, Room.refusal() | :no_such_arena}
  def join(code, player_id, name), do: ask(code, {:join, player_id, name})

  @doc """
  Registers the calling process as one that shows the arena to a player, or with `nil` to a spectator.

  The process gets `{:arena, room}` with each change, and `{:arena_notice, text}`, until it ends. After `:arena_back`,
  which means that the arena was restarted, it must call `look_again/2`.
  """
  @spec look(String.t(), String.t() | nil) :: {:ok, Room.t()} | {:error, :no_such_arena | :full}
  def look(code, player_id) do
    Phoenix.PubSub.subscribe(GameBox.PubSub, topic(code))
    look_again(code, player_id)
  end

  @doc "Like `look/2`, for a process that has called `look/2` before."
  @spec look_again(String.t(), String.t() | nil) ::
          {:ok, Room.t()} | {:error, :no_such_arena | :full}
  def look_again(code, player_id), do: ask(code, {:look, player_id, self()})

  @doc "Returns the present state of an arena."
  @spec room(String.t()) :: {:ok, Room.t()} | {:error, :no_such_arena}
  def room(code), do: ask(code, :room)

  @doc "Returns the games that can be chosen, which are those of the arena's node."
  @spec games(String.t()) :: [Game.t()]
  def games(code) do
    case ask(code, :games) do
      games when is_list(games) -> games
      {:error, _} -> []
    end
  end

  @doc "The host chooses a game by its id. `nil` goes back to the gallery."
  def select(code, by, game_id), do: ask(code, {:select, by, game_id})

  @doc "The host starts the game."
  def start_round(code, by), do: ask(code, {:start, by})

  @doc "The host ends the round."
  def finish(code, by), do: ask(code, {:finish, by})

  @doc "The PubSub topic of changes."
  @spec topic(String.t()) :: String.t()
  def topic(code), do: "arena:" <> code

  defp ask(code, question) do
    GenServer.call(Server.name(code), question)
  catch
    :exit, _not_there -> {:error, :no_such_arena}
  end
end
