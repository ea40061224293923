defmodule GameBoxWeb.UploadLive do
  @moduledoc """
  The page for uploading a game. The game is received, checked and tried in a separate process, and can be played here
  before it goes into the gallery.
  """

  use Phoenix.LiveView, layout: {GameBoxWeb.Layouts, :app}

  alias GameBox.{Game, Limits}
  alias GameBox.Gallery
  alias GameBox.Gallery.Check

  @impl true
  def mount(_params, _session, socket) do
    socket =
      socket
      |> assign(page_title: "Upload a game", bytes: nil, found: nil, reasons: [], checking: nil)
      |> assign(server: nil, players: [], playing: nil, file: nil)
      |> allow_upload(:game,
        accept: ~w(.wasm),
        max_entries: 1,
        max_file_size: Limits.get(:upload_bytes),
        auto_upload: true,
        progress: &progress/3
      )

    {:ok, socket}
  end

  defp progress(:game, %{done?: false}, socket), do: {:noreply, socket}

  defp progress(:game, entry, socket) do
    bytes = consume_uploaded_entry(socket, entry, fn %{path: path} -> File.read(path) end)

    socket =
      socket
      |> close()
      |> assign(bytes: bytes, checking: nil, found: nil, reasons: [], file: entry.client_name)

    {:noreply, check(socket, bytes)}
  end

  # A module can be made slow to compile on purpose.
  defp check(socket, bytes) do
    task = Task.Supervisor.async_nolink(GameBox.Checks, Check, :run, [bytes])
    Process.send_after(self(), {:check_late, task.ref}, Limits.get(:check_ms))
    assign(socket, checking: task)
  rescue
    # The supervisor raises this if it has its maximum of tasks.
    RuntimeError -> assign(socket, reasons: ["too many games are being checked, try again soon"])
  end

  @impl true
  def handle_info({reference, result}, %{assigns: %{checking: %{ref: reference}}} = socket) do
    Process.demonitor(reference, [:flush])
    {:noreply, checked(assign(socket, checking: nil), result)}
  end

  def handle_info({:check_late, reference}, %{assigns: %{checking: %{ref: reference}}} = socket) do
    Task.shutdown(socket.assigns.checking, :brutal_kill)
    {:noreply, checked(assign(socket, checking: nil), {:error, ["checking it takes too long"]})}
  end

  def handle_info({:DOWN, ref, :process, _, _}, %{assigns: %{checking: %{ref: ref}}} = socket),
    do: {:noreply, checked(assign(socket, checking: nil), {:error, ["checking it failed"]})}

  def handle_info(_other, socket), do: {:noreply, socket}

  @impl true
  # Messages about the file before do not apply to this one.
  def handle_event("validate", _params, socket) do
    if Enum.all?(socket.assigns.uploads.game.entries, & &1.valid?),
      do: {:noreply, socket},
      else: {:noreply, without_file(socket, [])}
  end

  # The browser reports why it does not send a file.
  def handle_event("empty-file", _params, socket),
    do: {:noreply, without_file(socket, ["The file is empty."])}

  def handle_event("preview_as", %{"player" => name}, socket) do
    if socket.assigns.server && name in socket.assigns.players,
      do: {:noreply, assign(socket, playing: name)},
      else: {:noreply, socket}
  end

  def handle_event("save", params, %{assigns: %{bytes: bytes, found: found}} = socket)
      when found != nil do
    case Gallery.add(bytes, found, params, socket.assigns.player_id) do
      {:ok, game} ->
        {:noreply,
         socket
         |> put_flash(:info, "#{game.title} is in the gallery.")
         |> push_navigate(to: "/games")}

      {:error, why} ->
        {:noreply, put_flash(socket, :error, why)}
    end
  end

  def handle_event("save", _params, socket), do: {:noreply, socket}

  defp checked(socket, {:error, reasons}), do: assign(socket, reasons: reasons, bytes: nil)

  defp checked(socket, {:ok, found}) do
    players = Check.players(found)
    socket = assign(socket, found: found, players: players)
    # The process ends with this page.
    source = {:module, socket.assigns.bytes}
    options = [source: source, plugin_name: "preview"] ++ Game.plugin_options()

    with {:ok, server} <- Vitrine.Server.start_link(options),
         {:ok, _} <-
           Vitrine.call(server, "init_game", %{"player_ids" => players}, as: {:json, :raw}) do
      assign(socket, server: server, playing: hd(players))
    else
      {:error, _error} -> put_flash(socket, :error, "The preview does not start.")
    end
  end

  defp without_file(socket, reasons),
    do: socket |> close() |> assign(bytes: nil, found: nil, file: nil, reasons: reasons)

  defp close(%{assigns: %{server: nil}} = socket), do: socket

  defp close(socket) do
    Vitrine.close(socket.assigns.server)
    assign(socket, server: nil)
  end

  @impl true
  def render(assigns) do
    ~H"""
    <h1>Upload a game</h1>
    <p class="status">
      A game is one <code>.wasm</code> file, at most <%= div(Limits.get(:upload_bytes), 1_048_576) %> MiB.
    </p>
    <form id="upload" class="card" phx-change="validate" phx-submit="save">
      <label id="drop" class="drop" phx-drop-target={@uploads.game.ref} phx-hook="ChosenFile">
        <span><%= if @file, do: "#{@file}: choose another file, or drop it here", else: "Choose a file, or drop it here" %></span>
        <.live_file_input upload={@uploads.game} class="unseen" />
      </label>
      <div class="check" role="status">
        <p :if={@checking}>It is being checked …</p>
        <p :for={entry <- @uploads.game.entries} :if={entry.valid?}>
          <progress value={entry.progress} max="100"><%= entry.progress %> %</progress>
        </p>
        <p :for={error <- errors(@uploads.game)} class="problem"><%= error %></p>
        <ul :if={@reasons != []} class="problem">
          <li :for={reason <- @reasons}><%= reason %></li>
        </ul>
        <p :if={@found}>
          <%= Game.players(struct(Game, Map.take(@found, [:min_players, :max_players]))) %>,
          <%= div(@found.size + 1023, 1024) %> KiB<%= written_in(@found.languages) %>
        </p>
      </div>
      <div :if={@found} class="fields">
        <label for="title">Title</label>
        <input
          id="title"
          name="title"
          required
          maxlength={Limits.get(:title_length)}
          value={@found.title}
        />
        <label for="description">Description</label>
        <textarea id="description" name="description" maxlength={Limits.get(:description_length)}><%= @found.description %></textarea>
        <div class="buttons"><button class="primary">Put it into the gallery</button></div>
      </div>
    </form>
    <section :if={@server} aria-labelledby="preview-title">
      <div class="bar">
        <h2 id="preview-title">Preview</h2>
        <div class="buttons">
          <button
            :for={name <- @players}
            type="button"
            phx-click="preview_as"
            phx-value-player={name}
            aria-pressed={to_string(name == @playing)}
          >
            <%= name %>
          </button>
        </div>
      </div>
      <.live_component
        module={Vitrine.LiveView.Component}
        id="preview"
        plugin={@server}
        viewer={@playing}
        html={Game.html_options()}
        class="board card"
        pending="…"
      />
    </section>
    """
  end

  defp errors(upload) do
    general = upload_errors(upload)
    of_entries = Enum.flat_map(upload.entries, &upload_errors(upload, &1))
    for error <- Enum.uniq(general ++ of_entries), do: error_text(error)
  end

  defp error_text(:too_large), do: "The file is too large."
  defp error_text(:not_accepted), do: "That is not a .wasm file."
  defp error_text(:too_many_files), do: "One file at a time."
  defp error_text(_other), do: "The file did not arrive."

  defp written_in([]), do: ""
  defp written_in(languages), do: ", written in #{Enum.join(languages, ", ")}"
end
