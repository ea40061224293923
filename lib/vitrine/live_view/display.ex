defmodule Vitrine.LiveView.Display do
  @moduledoc false
  # The parts of a plugin that the socket of a view or a component shows: the assign with the session's name, and messages about
  # failures.

  @compile {:no_warn_undefined, [Phoenix.Component, Phoenix.LiveView]}

  require Logger

  alias Vitrine.LiveView.{Messages, Session, View}

  @doc "Begins to show a plugin, with nothing to show yet."
  def begin(socket, %Session{name: name, options: options}) do
    view = %View{name: name, namespace: options.namespace}
    Phoenix.Component.assign(socket, name, view)
  end

  @doc "Shows a new render, if there is one."
  def rendered(socket, session) do
    case Session.result(session) do
      nil -> socket
      result -> show(socket, session, result)
    end
  end

  @doc "Shows a render's result."
  def show(socket, session, result) do
    before = socket.assigns[session.name]
    socket = update(socket, session, &shown(View.rendered(&1, result), session))

    case socket.assigns[session.name] do
      # The error is shown once, however many renders of one version fail.
      %{status: :failed, error: error} when before.status != :failed ->
        failed(socket, session, error)

      _view ->
        socket
    end
  end

  defp shown(view, %{options: %{temporary: true}} = session),
    do: %{view | tree: nil, source: {session.table, session.class, make_ref()}}

  defp shown(view, _session), do: view

  @doc "Shows that the plugin takes longer than usual."
  def busy(socket, session), do: update(socket, session, &%{&1 | busy: true})

  @doc "Shows the plugin's answer to an event."
  def answered(socket, %{options: options} = session, {:ok, answer}) do
    socket =
      socket
      |> Messages.clear(session)
      |> update(session, &View.answered(%{&1 | busy: false}, answer, options.take))

    if options.on_answer,
      do: options.on_answer.(socket, Map.take(answer, options.take)),
      else: socket
  end

  def answered(socket, session, {:error, error}) do
    socket
    |> update(session, &%{&1 | busy: false})
    |> failed(session, error)
  end

  @doc "Shows the viewer an error."
  def failed(socket, %{options: %{on_error: nil}} = session, error) do
    # A refusal is the plugin's normal answer.
    level = if error.reason == :guest_error, do: :debug, else: :warning
    Logger.log(level, fn -> [place(socket, session), Exception.message(error)] end)
    Messages.put(socket, session, error, &hide(socket, session, &1, &2))
  end

  def failed(socket, %{options: %{on_error: on_error}}, error), do: on_error.(socket, error)

  # The page, and the namespace of the plugin in it.
  defp place(socket, %{options: %{namespace: namespace}}),
    do: "#{inspect(socket.view)}, #{inspect(namespace)}: "

  # A component has no mailbox, but a view has one.
  defp hide(%{assigns: %{myself: myself}}, _session, id, time) when myself != nil,
    do: Phoenix.LiveView.send_update_after(self(), myself, [__vitrine__: {:hide, id}], time)

  defp hide(_socket, %{tag: tag}, id, time),
    do: Process.send_after(self(), {:vitrine_live_view, tag, {:hide, id}}, time)

  defp update(socket, session, change) do
    view = Map.fetch!(socket.assigns, session.name)
    Phoenix.Component.assign(socket, session.name, change.(view))
  end
end
