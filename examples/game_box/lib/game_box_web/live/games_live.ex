defmodule GameBoxWeb.GamesLive do
  @moduledoc "The page of the gallery."

  use Phoenix.LiveView, layout: {GameBoxWeb.Layouts, :app}

  import GameBoxWeb.Components

  alias GameBox.Gallery
  alias GameBoxWeb.Texts

  @impl true
  def mount(_params, _session, socket) do
    if connected?(socket), do: Phoenix.PubSub.subscribe(GameBox.PubSub, Gallery.topic())
    {:ok, assign(socket, games: Gallery.list(), page_title: "Games")}
  end

  @impl true
  def handle_info(:games_changed, socket), do: {:noreply, assign(socket, games: Gallery.list())}

  @impl true
  def handle_event("delete", %{"game" => id}, socket) do
    case Gallery.delete(id, socket.assigns.player_id) do
      :ok -> {:noreply, put_flash(socket, :info, "The game is no longer in the gallery.")}
      {:error, why} -> {:noreply, put_flash(socket, :error, Texts.refusal(why))}
    end
  end

  @impl true
  def render(assigns) do
    ~H"""
    <div class="bar">
      <h1>Games</h1>
      <.link navigate="/games/new" class="button primary">Upload a game</.link>
    </div>
    <div class="games">
      <.game_card :for={game <- @games} game={game}>
        <:actions :if={game.owner == @player_id}>
          <button
            type="button"
            phx-click="delete"
            phx-value-game={game.id}
            data-confirm={"Take #{game.title} out of the gallery?"}
          >
            Delete
          </button>
        </:actions>
      </.game_card>
      <p :if={@games == []} class="quiet">There are no games yet.</p>
    </div>
    """
  end
end
