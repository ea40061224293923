defmodule GameBox.Arena do
  @moduledoc """
  An arena: where some people are, by a code of four letters, and play one game after the other.

  It is one process in the whole cluster, found by its code from each node. What may be done by whom
  is a matter of `GameBox.Arena.Room`; all that a browser wants goes through here and is checked there.
  """

  alias GameBox.{Game, Limits}
  alias GameBox.Arena.{Code, Room, Server, Tries}

  @doc "Opens an arena with a code that is free, and its first player, the host."
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

  @doc "As `open/2`, for somebody who may be opening as many as there are."
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
  As `find/1`, for somebody who may be trying out codes. Whoever plays in an arena finds it in any
  case: their browser reconnects.
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
  The code of an arena that there is, on whatever node. One that was saved here, when this node was
  stopped, is opened again.
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
  Says that the calling process shows the arena to somebody: to a player, or with `nil` to a spectator.
  It gets `{:arena, room}` with each change, and `{:arena_notice, text}`, until it ends. After `:arena_back`,
  which says that the arena had to be started again, it has to call `look_again/2`.
  """
  @spec look(String.t(), String.t() | nil) :: {:ok, Room.t()} | {:error, :no_such_arena | :full}
  def look(code, player_id) do
    Phoenix.PubSub.subscribe(GameBox.PubSub, topic(code))
    look_again(code, player_id)
  end

  @doc "As `look/2`, for who has done that before."
  @spec look_again(String.t(), String.t() | nil) ::
          {:ok, Room.t()} | {:error, :no_such_arena | :full}
  def look_again(code, player_id), do: ask(code, {:look, player_id, self()})

  @doc "An arena as it is now."
  @spec room(String.t()) :: {:ok, Room.t()} | {:error, :no_such_arena}
  def room(code), do: ask(code, :room)

  @doc "The games that can be chosen, which are those of the arena's node."
  @spec games(String.t()) :: [Game.t()]
  def games(code) do
    case ask(code, :games) do
      games when is_list(games) -> games
      {:error, _} -> []
    end
  end

  @doc "The host chooses a game by its id; `nil` goes back to the gallery."
  def select(code, by, game_id), do: ask(code, {:select, by, game_id})

  @doc "The host starts the game."
  def start_round(code, by), do: ask(code, {:start, by})

  @doc "The host ends the round."
  def finish(code, by), do: ask(code, {:finish, by})

  @doc "What changes are told on."
  @spec topic(String.t()) :: String.t()
  def topic(code), do: "arena:" <> code

  defp ask(code, question) do
    GenServer.call(Server.name(code), question)
  catch
    :exit, _not_there -> {:error, :no_such_arena}
  end
end
