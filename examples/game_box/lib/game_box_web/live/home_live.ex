defmodule GameBoxWeb.HomeLive do
  @moduledoc "The home page, on which people join, watch or start an arena."

  use Phoenix.LiveView, layout: {GameBoxWeb.Layouts, :app}

  alias GameBox.Arena
  alias GameBoxWeb.Texts

  @impl true
  def mount(params, _session, socket) do
    code = params["arena"] |> to_string() |> String.slice(0, 4) |> String.upcase()
    {:ok, assign(socket, code: code, join_name: "", start_name: "", problem: %{})}
  end

  @impl true
  def handle_event("join", %{"name" => name, "code" => code} = params, socket) do
    socket = assign(socket, join_name: name, code: code, problem: %{})
    watch? = params["as"] == "watch"

    with {:ok, code} <- Arena.find(code, socket.assigns.who),
         :ok <- if(watch?, do: :ok, else: joined(code, socket.assigns.player_id, name)) do
      to = if watch?, do: "/arena/#{code}/watch", else: "/arena/#{code}"
      {:noreply, push_navigate(socket, to: to)}
    else
      {:error, why} -> {:noreply, assign(socket, problem: %{join: Texts.refusal(why)})}
    end
  end

  def handle_event("start", %{"name" => name}, socket) do
    case Arena.open_for(socket.assigns.who, name) do
      {:ok, code} ->
        {:noreply, push_navigate(socket, to: "/arena/#{code}")}

      {:error, why} ->
        {:noreply, assign(socket, start_name: name, problem: %{start: Texts.refusal(why)})}
    end
  end

  defp joined(code, player_id, name),
    do: with({:ok, _room} <- Arena.join(code, player_id, name), do: :ok)

  @impl true
  def render(assigns) do
    ~H"""
    <div class="hero">
      <h1 class="title">Play together, from wherever you are</h1>
      <p>Four letters bring you and your friends to one table. No account, nothing to install.</p>
    </div>
    <div class="two">
      <form class="card" phx-submit="join" aria-labelledby="join-title">
        <h2 id="join-title">Join an arena</h2>
        <label for="code">Arena code</label>
        <input
          id="code"
          name="code"
          class="code"
          value={@code}
          maxlength="4"
          minlength="4"
          required
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
          placeholder="BCDF"
        />
        <label for="join-name">Your name</label>
        <input id="join-name" name="name" value={@join_name} maxlength="12" autocomplete="nickname" />
        <p class="problem" role="alert"><%= @problem[:join] %></p>
        <div class="buttons">
          <button class="primary">Join</button>
          <button name="as" value="watch">Only watch</button>
        </div>
      </form>
      <form class="card" phx-submit="start" aria-labelledby="start-title">
        <h2 id="start-title">Start an arena</h2>
        <p class="quiet">You will be its host: you choose the games, and when they begin.</p>
        <label for="start-name">Your name</label>
        <input
          id="start-name"
          name="name"
          value={@start_name}
          minlength="2"
          maxlength="12"
          required
          autocomplete="nickname"
        />
        <p class="problem" role="alert"><%= @problem[:start] %></p>
        <div class="buttons"><button class="primary">Start an arena</button></div>
      </form>
    </div>
    """
  end
end
