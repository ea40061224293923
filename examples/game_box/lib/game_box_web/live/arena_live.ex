defmodule GameBoxWeb.ArenaLive do
  @moduledoc "The page of an arena: its lobby, the chosen game, and the board."

  use Phoenix.LiveView, layout: {GameBoxWeb.Layouts, :app}

  import GameBoxWeb.Components

  alias GameBox.{Arena, Gallery, Game, Round}
  alias GameBox.Arena.Room
  alias GameBoxWeb.Texts

  @impl true
  def mount(%{"code" => text}, _session, socket) do
    with {:ok, code} <- Arena.find(text, socket.assigns.who), {:ok, room} <- look(socket, code) do
      if connected?(socket), do: Phoenix.PubSub.subscribe(GameBox.PubSub, Gallery.topic())

      socket =
        assign(socket,
          code: code,
          page_title: "Arena #{code}",
          invitation: invitation(socket, code),
          games: Arena.games(code),
          board: nil,
          by_hand?: false,
          shown: nil
        )

      {:ok, enter(socket, room)}
    else
      {:error, why} ->
        {:ok, socket |> put_flash(:error, Texts.refusal(why)) |> push_navigate(to: "/")}
    end
  end

  # A player without a name is asked for one.
  defp enter(socket, room) do
    if socket.assigns.live_action == :play and Room.name_of(room, me(socket)) == nil,
      do: push_navigate(socket, to: "/?arena=#{room.code}"),
      else: show(socket, room)
  end

  defp look(socket, code) do
    id = if socket.assigns.live_action == :play, do: me(socket)
    # The first page belongs to a request that ends at once, so it does not count as a viewer.
    if connected?(socket), do: Arena.look(code, id), else: Arena.room(code)
  end

  @impl true
  def handle_info({:arena, room}, socket), do: {:noreply, show(socket, room)}
  def handle_info({:arena_notice, text}, socket), do: {:noreply, put_flash(socket, :error, text)}

  # The arena was restarted, and only knows viewers who register again.
  def handle_info(:arena_back, socket) do
    id = if socket.assigns.live_action == :play, do: me(socket)

    case Arena.look_again(socket.assigns.code, id) do
      {:ok, room} -> {:noreply, show(socket, room)}
      {:error, _gone} -> {:noreply, socket}
    end
  end

  def handle_info(:games_changed, socket),
    do: {:noreply, assign(socket, games: Arena.games(socket.assigns.code))}

  def handle_info(_other, socket), do: {:noreply, socket}

  # The arena decides who may do this, whatever buttons the page has.
  @impl true
  def handle_event("select", %{"game" => id}, socket),
    do: done(Arena.select(socket.assigns.code, me(socket), id), socket)

  def handle_event("unselect", _params, socket),
    do: done(Arena.select(socket.assigns.code, me(socket), nil), socket)

  def handle_event("start", _params, socket),
    do: done(Arena.start_round(socket.assigns.code, me(socket)), socket)

  def handle_event("finish", _params, socket),
    do: done(Arena.finish(socket.assigns.code, me(socket)), socket)

  def handle_event("copied", _params, socket),
    do: {:noreply, put_flash(socket, :info, "The invitation is copied.")}

  # The browser does not let the page write to the clipboard.
  def handle_event("not-copied", _params, socket) do
    {:noreply, socket |> assign(by_hand?: true) |> push_event("select-invitation", %{})}
  end

  defp done({:ok, _room}, socket), do: {:noreply, socket}

  defp done({:error, why}, socket),
    do: {:noreply, put_flash(socket, :error, Texts.refusal(why))}

  # The board belongs to one round and one viewer. A person who comes during a round is a spectator.
  defp show(socket, room) do
    viewer = if socket.assigns.live_action == :play, do: Room.viewer(room, me(socket))
    wanted = if room.phase == :playing, do: {room.round.number, viewer}
    socket = assign(socket, room: room, viewer: viewer, host?: room.host == me(socket))

    cond do
      wanted == socket.assigns.shown ->
        socket

      wanted == nil ->
        socket |> Vitrine.LiveView.detach(:board) |> assign(shown: nil)

      true ->
        socket
        |> Vitrine.LiveView.attach(:board, Round.view(room, viewer))
        |> assign(shown: wanted)
    end
  end

  defp me(socket), do: socket.assigns.player_id

  defp invitation(socket, code) do
    socket.host_uri
    |> then(&if is_struct(&1, URI), do: %{&1 | path: nil}, else: URI.parse(socket.endpoint.url()))
    |> Map.merge(%{path: "/", query: "arena=" <> code})
    |> URI.to_string()
  end

  @impl true
  def render(assigns) do
    ~H"""
    <div class="arena" data-phase={if @room.phase == :playing, do: "playing", else: "lobby"}>
      <div class="stage">
        <.board
          :if={@room.phase == :playing}
          room={@room}
          viewer={@viewer}
          host?={@host?}
          board={@board}
        />
        <.lobby
          :if={@room.phase != :playing and @room.game == nil}
          room={@room}
          host?={@host?}
          games={@games}
        />
        <.detail
          :if={@room.phase != :playing and @room.game != nil}
          room={@room}
          host?={@host?}
        />
      </div>
      <.side
        room={@room}
        code={@code}
        invitation={@invitation}
        by_hand?={@by_hand?}
        me={@player_id}
      />
    </div>
    """
  end

  # A separate element, which browsers do not touch while the game goes on.
  defp side(assigns) do
    ~H"""
    <aside class="side">
      <div class="card invite">
        <p class="quiet">Arena</p>
        <p class="code" aria-label={"Arena code " <> spelled(@code)}><%= @code %></p>
        <button id="copy" type="button" phx-hook="Copy" data-text={@invitation}>
          Copy invitation
        </button>
        <label :if={@by_hand?}>
          Copy this address
          <input id="invitation" type="text" readonly value={@invitation} />
        </label>
      </div>
      <div class="card">
        <h2>In the arena</h2>
        <.people room={@room} me={@me} />
      </div>
    </aside>
    """
  end

  defp spelled(code), do: code |> String.graphemes() |> Enum.join(" ")

  defp board(assigns) do
    ~H"""
    <div class="bar">
      <h1><%= @room.round.game.title %></h1>
      <button :if={@host?} type="button" phx-click="finish">End the round</button>
    </div>
    <p class="status" role="status">
      <%= playing(@room, @viewer) %>
    </p>
    <Vitrine.LiveView.plugin
      view={@board}
      id={"board-#{@room.round.number}"}
      class="board card"
      pending="The board is on its way …"
      failed="The board cannot be shown now. The host can end the round."
    />
    """
  end

  defp playing(room, viewer) do
    case {Room.missing(room), viewer} do
      {[], nil} -> "You are watching."
      {[], name} -> "You play as #{name}."
      {missing, _} -> "Away: #{Enum.join(missing, ", ")}."
    end
  end

  defp lobby(assigns) do
    ~H"""
    <h1>Lobby</h1>
    <p class="status" role="status"><%= waiting(@room, @host?) %></p>
    <div class="games">
      <.game_card :for={game <- @games} game={game}>
        <:actions :if={@host?}>
          <button
            type="button"
            class="primary"
            phx-click="select"
            phx-value-game={game.id}
            aria-label={"Select " <> game.title}
          >
            Select
          </button>
        </:actions>
      </.game_card>
      <p :if={@games == []} class="quiet">There are no games yet. Upload one!</p>
    </div>
    """
  end

  defp detail(assigns) do
    assigns = assign(assigns, ready: Room.starters(assigns.room))

    ~H"""
    <div class="bar">
      <h1><%= @room.game.title %></h1>
      <button :if={@host?} type="button" phx-click="unselect" disabled={@room.phase == :starting}>
        Other games
      </button>
    </div>
    <p class="status" role="status"><%= waiting(@room, @host?) %></p>
    <div class="card detail">
      <p><%= @room.game.description %></p>
      <p class="quiet"><%= Game.players(@room.game) %></p>
      <div :if={@host?} class="buttons">
        <button
          type="button"
          class="primary"
          phx-click="start"
          disabled={not match?({:ok, _}, @ready) or @room.phase == :starting}
        >
          <%= if @room.phase == :starting, do: "Starting …", else: "Start the game" %>
        </button>
        <p class="quiet"><%= starters(@ready, @room.game) %></p>
      </div>
    </div>
    """
  end

  defp starters({:ok, names}, _game), do: "Will play: #{Enum.join(names, ", ")}."
  defp starters({:error, _too_few}, game), do: "It takes #{Game.players(game)}."

  defp waiting(%{phase: :starting}, _host?), do: "The game is starting …"
  defp waiting(%{game: nil}, true), do: "Choose a game for everybody."
  defp waiting(_room, true), do: "Start when everybody is here."

  defp waiting(room, false) do
    what = if room.game, do: "start the game", else: "choose a game"

    case room.players[room.host] do
      %{online: true, name: name} -> "Waiting for #{name} to #{what}."
      _ -> "The host is away. If they stay away, somebody else becomes host."
    end
  end
end
