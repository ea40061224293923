defmodule Vitrine.LiveView.Display do
  @moduledoc false
  # What a socket shows of a plugin, whether it is that of a view or of a component: the assign with
  # the session's name, and what people are told when something fails.

  @compile {:no_warn_undefined, [Phoenix.Component, Phoenix.LiveView]}

  require Logger

  alias Vitrine.Error
  alias Vitrine.LiveView.{Session, View}

  # Of a plugin's own text in a flash message.
  @longest_text 200

  @doc "Nothing yet, of this plugin."
  def begin(socket, %Session{name: name, options: options}) do
    view = %View{name: name, namespace: options.namespace}
    Phoenix.Component.assign(socket, name, view)
  end

  @doc "There may be a new render."
  def rendered(socket, session) do
    case Session.result(session) do
      nil -> socket
      result -> show(socket, session, result)
    end
  end

  @doc "A render's result."
  def show(socket, session, result) do
    before = socket.assigns[session.name]
    socket = update(socket, session, &shown(View.rendered(&1, result), session))

    case socket.assigns[session.name] do
      # Once, however many renders of one version fail.
      %{status: :failed, error: error} when before.status != :failed ->
        failed(socket, session, error)

      _view ->
        socket
    end
  end

  defp shown(view, %{options: %{temporary: true}} = session),
    do: %{view | tree: nil, source: {session.table, session.class, make_ref()}}

  defp shown(view, _session), do: view

  @doc "The plugin takes longer than usual."
  def busy(socket, session), do: update(socket, session, &%{&1 | busy: true})

  @doc "The plugin was told of an event."
  def answered(socket, %{options: options} = session, {:ok, answer}) do
    socket = update(socket, session, &View.answered(%{&1 | busy: false}, answer, options.take))

    if options.on_answer,
      do: options.on_answer.(socket, Map.take(answer, options.take)),
      else: socket
  end

  def answered(socket, session, {:error, error}) do
    socket
    |> update(session, &%{&1 | busy: false})
    |> failed(session, error)
  end

  @doc "Tells whoever looks on of an error."
  def failed(socket, %{options: %{on_error: nil}}, error) do
    Logger.warning("for a view: " <> Exception.message(error))
    Phoenix.LiveView.put_flash(socket, :error, text(error))
  end

  def failed(socket, %{options: %{on_error: on_error}}, error), do: on_error.(socket, error)

  # For people who use the page. Only what the plugin meant for them is its own text.
  defp text(%Error{reason: :guest_error, message: message}),
    do: String.slice(message, 0, @longest_text)

  defp text(%Error{reason: :timeout}), do: "That took too long and was stopped."
  defp text(%Error{reason: :busy}), do: "That was too much at once."
  defp text(%Error{reason: :closed}), do: "This is not running at the moment."
  defp text(%Error{}), do: "That did not work."

  defp update(socket, session, change) do
    view = Map.fetch!(socket.assigns, session.name)
    Phoenix.Component.assign(socket, session.name, change.(view))
  end
end
