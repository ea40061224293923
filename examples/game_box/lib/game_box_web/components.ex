defmodule GameBoxWeb.Components do
  @moduledoc "Components that several pages use."

  use Phoenix.Component

  alias GameBox.Game

  attr(:flash, :map, required: true)

  @doc "Shows messages over the page, so that nothing moves when one appears. Screen readers read them out."
  def flashes(assigns) do
    ~H"""
    <div class="flashes" aria-live="polite">
      <button
        :for={{kind, text} <- Enum.sort(@flash)}
        type="button"
        class={"flash flash-#{kind}"}
        phx-click="lv:clear-flash"
        phx-value-key={kind}
        aria-label={"#{text} – close this message"}
      >
        <span><%= text %></span><span aria-hidden="true">×</span>
      </button>
    </div>
    """
  end

  attr(:game, Game, required: true)
  slot(:actions)

  @doc "Shows a game in the gallery."
  def game_card(assigns) do
    ~H"""
    <article class="card game">
      <div class="art" aria-hidden="true" style={art(@game)}><%= String.first(@game.title) %></div>
      <div class="about">
        <h3><%= @game.title %></h3>
        <p><%= @game.description %></p>
        <p class="quiet"><%= Game.players(@game) %></p>
      </div>
      <div :if={@actions != []} class="actions"><%= render_slot(@actions) %></div>
    </article>
    """
  end

  # Each game has its own colours, which are derived from its bytes.
  defp art(game) do
    hue = game.id |> String.slice(0, 6) |> String.to_integer(16) |> rem(360)
    "--hue: #{hue}"
  end

  attr(:room, :map, required: true)
  attr(:me, :string)

  @doc "Shows the people in an arena."
  def people(assigns) do
    ~H"""
    <section class="people" aria-label="People in this arena">
      <ul>
        <li :for={player <- GameBox.Arena.Room.players(@room)} class={unless player.online, do: "away"}>
          <span class="dot" aria-hidden="true"></span>
          <span class="name"><%= player.name %></span>
          <span :if={player.id == @room.host} class="tag">host</span>
          <span :if={player.id == @me} class="tag">you</span>
          <span :if={not player.online} class="tag">away</span>
        </li>
      </ul>
      <p class="quiet">
        <%= if @room.spectators == 1, do: "1 spectator", else: "#{@room.spectators} spectators" %>
      </p>
    </section>
    """
  end
end
