defmodule GameBoxWeb.Layouts do
  @moduledoc false
  use Phoenix.Component

  import GameBoxWeb.Components

  def root(assigns) do
    ~H"""
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="csrf-token" content={Phoenix.Controller.get_csrf_token()} />
        <meta name="color-scheme" content="light dark" />
        <.live_title suffix=" · GameBox"><%= assigns[:page_title] || "Play together" %></.live_title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/app.css" />
        <script defer src="/js/phoenix/phoenix.min.js">
        </script>
        <script defer src="/js/live_view/phoenix_live_view.min.js">
        </script>
        <script defer src="/app.js">
        </script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the page</a>
        <%= @inner_content %>
      </body>
    </html>
    """
  end

  def app(assigns) do
    ~H"""
    <.top />
    <.flashes flash={@flash} />
    <p class="offline" role="status">The connection is lost. It comes back by itself.</p>
    <main id="main" tabindex="-1"><%= @inner_content %></main>
    """
  end

  defp top(assigns) do
    ~H"""
    <header class="top">
      <.link navigate="/" class="brand">
        <span aria-hidden="true" class="logo"><i></i><i></i><i></i><i></i></span>GameBox
      </.link>
      <nav aria-label="GameBox">
        <.link navigate="/games">Games</.link>
        <.link navigate="/games/new">Upload</.link>
      </nav>
    </header>
    """
  end
end
