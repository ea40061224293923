defmodule GameBox.Round do
  @moduledoc """
  A round of a game: a `Vitrine.Server` with the game's plugin, and a ticker if the game needs one, under their own
  supervisor. A round is found by the arena's code and the round's number from each node.

  Games keep their state in the plugin's variables. The variables survive a crash of the server, and with the arena's
  file also a restart of the node; see `GameBox.Round.Store`.
  """

  alias GameBox.{Game, Limits}
  alias GameBox.Arena.Room
  alias GameBox.Round.{Store, Ticker}

  @doc "The name of the server of a round."
  @spec name(Room.t()) :: GenServer.name()
  def name(%Room{code: code, round: %{number: number}}), do: {:global, {__MODULE__, code, number}}

  @doc "Returns the options for viewers of a round, see `Vitrine.LiveView.attach/3`."
  @spec view(Room.t(), String.t() | nil) :: keyword()
  def view(%Room{} = room, viewer) do
    [
      plugin: name(room),
      # All spectators see the same page, which is rendered once.
      viewer: viewer,
      pubsub: GameBox.PubSub,
      topic: topic(room),
      html: Game.html_options(),
      timeout: Limits.get(:event_timeout_ms)
    ]
  end

  @doc "The PubSub topic of changes of a round."
  @spec topic(Room.t()) :: String.t()
  def topic(%Room{code: code, round: %{number: number}}), do: "round:#{code}:#{number}"

  @doc "Returns the supervisor of a round in progress."
  @spec running(Room.t()) :: pid() | nil
  def running(%Room{} = room), do: GenServer.whereis(supervisor_name(room))

  @doc """
  Starts a round. A round that was in progress continues with the variables that were kept. Returns its supervisor, or a
  text for people.
  """
  @spec start(Room.t()) :: {:ok, pid()} | {:error, String.t()}
  def start(%Room{} = room) do
    key = {room.code, room.round.number}
    resumed? = Store.load(key) not in [nil, %{}]

    with {:ok, bytes} <- File.read(room.round.game.path),
         child = child(room, children(room, bytes, key)),
         {:ok, supervisor} <- DynamicSupervisor.start_child(GameBox.Rounds, child) do
      case if(resumed?, do: {:ok, ""}, else: init_game(room)) do
        {:ok, _ignored} ->
          {:ok, supervisor}

        {:error, error} ->
          stop(supervisor, room)
          {:error, text(room, error)}
      end
    else
      {:error, {:shutdown, {:failed_to_start_child, _, error}}} -> {:error, text(room, error)}
      {:error, _other} -> {:error, text(room, nil)}
    end
  end

  defp child(room, children) do
    %{
      id: __MODULE__,
      start: {Supervisor, :start_link, [children, supervisor(room)]},
      type: :supervisor,
      restart: :temporary
    }
  end

  # A server that cannot be restarted ends its own round only.
  defp supervisor(room) do
    [name: supervisor_name(room), strategy: :rest_for_one, max_restarts: 5, max_seconds: 10]
  end

  defp supervisor_name(%Room{code: code, round: %{number: number}}),
    do: {:global, {__MODULE__, :supervisor, code, number}}

  # An upload must be a module. This form of source accepts nothing else.
  defp children(%Room{round: %{game: game}} = room, bytes, key) do
    server =
      {Vitrine.Server,
       [
         source: {:module, bytes},
         name: name(room),
         plugin_name: game.title,
         restore_vars: {Store, key}
       ] ++ Game.plugin_options()}

    ticker = {Ticker, plugin: name(room), topic: topic(room), interval: game.tick_ms}
    if game.tick_ms, do: [server, ticker], else: [server]
  end

  defp init_game(%Room{round: round} = room) do
    # Players are known by their names, in an arena as in a game.
    input = %{"player_ids" => round.players, "player_names" => round.players}
    options = [as: {:json, :raw}, timeout: Limits.get(:start_timeout_ms)]
    Vitrine.call(name(room), "init_game", input, options)
  end

  @doc "Ends a round."
  @spec stop(pid() | nil, Room.t()) :: :ok
  def stop(supervisor, room) do
    if supervisor, do: DynamicSupervisor.terminate_child(GameBox.Rounds, supervisor)
    if room.round, do: Store.forget({room.code, room.round.number})
    :ok
  end

  @doc "Returns the last variables of a round's plugin."
  @spec vars(Room.t()) :: map()
  def vars(%Room{round: nil}), do: %{}
  def vars(%Room{} = room), do: Store.load({room.code, room.round.number}) || %{}

  defp text(%Room{round: %{game: game}}, %Vitrine.Error{reason: :guest_error, message: message}),
    do: "#{game.title} did not start: #{String.slice(message, 0, 200)}"

  defp text(%Room{round: %{game: game}}, _error), do: "#{game.title} did not start."
end
