defmodule Vitrine.LiveView.Socket do
  @moduledoc false
  # Where views meet Phoenix: in a socket's assigns is what templates see, in its private part what
  # they do not, and hooks take the events and messages that are for a plugin.

  @compile {:no_warn_undefined, [Phoenix.Component, Phoenix.LiveView]}

  require Logger

  alias Vitrine.{Error, HTML}
  alias Vitrine.LiveView.{Options, Runner, Session, View}

  @key :vitrine
  @prefix "vitrine:"

  # Of a plugin's own text in a flash message.
  @longest_text 200

  @doc "`Vitrine.LiveView.attach/3`"
  def attach(socket, name, options) do
    options = Options.check!(name, options)
    socket = socket |> detach(name) |> with_hooks()
    {state, session} = name |> Session.new(options) |> Session.join()

    view = %View{name: name, namespace: options.namespace}
    socket = socket |> put(session) |> Phoenix.Component.assign(name, view)

    case Session.await(state, session) do
      nil when state == :slow -> hear(socket, session, :slow)
      nil -> socket
      result -> show(socket, session, result)
    end
  end

  @doc "`Vitrine.LiveView.detach/2`"
  def detach(socket, name) do
    case sessions(socket) do
      %{^name => session} ->
        Session.leave(session)

        socket
        |> Phoenix.LiveView.put_private(@key, Map.delete(sessions(socket), name))
        |> Phoenix.Component.assign(name, nil)

      _none ->
        socket
    end
  end

  @doc "`Vitrine.LiveView.dispatch/4`"
  def dispatch(socket, name, event, value) do
    case sessions(socket) do
      %{^name => session} -> take(socket, session, event, value)
      _none -> raise ArgumentError, "no plugin is attached as #{inspect(name)}"
    end
  end

  defp take(socket, session, event, value) do
    case Session.event(session, event, value) do
      {:ok, session} -> put(socket, session)
      {:error, error} -> failed(socket, session, error)
    end
  end

  # Events of plugins never reach the host's handle_event, also not those of one that is gone.
  defp on_event(@prefix <> _ = event, value, socket) do
    found =
      Enum.find_value(sessions(socket), fn {_name, session} ->
        with {:ok, name} <- HTML.event(session.options.namespace, event),
             do: {session, name},
             else: (:error -> nil)
      end)

    case found do
      # A form that has no event.
      {_session, ""} ->
        {:halt, socket}

      {session, name} ->
        {:halt, take(socket, session, name, HTML.params(session.options.namespace, value))}

      nil ->
        {:halt, socket}
    end
  end

  defp on_event(_event, _value, socket), do: {:cont, socket}

  defp on_info({Vitrine.LiveView, tag, news}, socket) do
    case find(socket, &(&1.tag == tag)) do
      nil -> {:halt, socket}
      session -> {:halt, hear(socket, session, news)}
    end
  end

  defp on_info({:DOWN, monitor, :process, _, reason}, socket) do
    case find(socket, &(&1.monitor == monitor or match?({_, ^monitor}, &1.running))) do
      nil -> {:cont, socket}
      %{monitor: ^monitor} = session -> {:halt, rejoin(socket, session)}
      session -> {:halt, hear(socket, session, {:answered, {:error, Runner.failure(reason)}})}
    end
  end

  defp on_info(_message, socket), do: {:cont, socket}

  defp hear(socket, session, :rendered) do
    case Session.result(session) do
      nil -> socket
      result -> show(socket, session, result)
    end
  end

  defp hear(socket, session, :slow), do: update(socket, session, &%{&1 | busy: true})

  defp hear(socket, %{running: nil}, :late), do: socket
  defp hear(socket, session, :late), do: update(socket, session, &%{&1 | busy: true})

  defp hear(socket, session, {:answered, {:ok, answer}}) do
    %{take: take, on_answer: on_answer} = session.options

    socket =
      socket
      |> put(Session.over(session))
      |> update(session, &View.answered(%{&1 | busy: false}, answer, take))

    if on_answer, do: on_answer.(socket, Map.take(answer, take)), else: socket
  end

  defp hear(socket, session, {:answered, {:error, error}}) do
    socket
    |> put(Session.over(session))
    |> update(session, &%{&1 | busy: false})
    |> failed(session, error)
  end

  defp rejoin(socket, session) do
    {state, session} = Session.join(session)
    socket = put(socket, session)

    case state do
      :ready -> hear(socket, session, :rendered)
      :slow -> hear(socket, session, :slow)
      :rendering -> socket
    end
  end

  defp show(socket, session, result) do
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

  defp failed(socket, %{options: %{on_error: nil}}, error) do
    Logger.warning("for a view: " <> Exception.message(error))
    Phoenix.LiveView.put_flash(socket, :error, text(error))
  end

  defp failed(socket, %{options: %{on_error: on_error}}, error), do: on_error.(socket, error)

  # For people who use the page. Only what the plugin meant for them is its own text.
  defp text(%Error{reason: :guest_error, message: message}),
    do: String.slice(message, 0, @longest_text)

  defp text(%Error{reason: :timeout}), do: "That took too long and was stopped."
  defp text(%Error{reason: :busy}), do: "That was too much at once."
  defp text(%Error{reason: :closed}), do: "This is not running at the moment."
  defp text(%Error{}), do: "That did not work."

  defp with_hooks(socket) do
    if Map.has_key?(socket.private, @key) do
      socket
    else
      socket
      |> Phoenix.LiveView.put_private(@key, %{})
      |> Phoenix.LiveView.attach_hook(@key, :handle_event, &on_event/3)
      |> Phoenix.LiveView.attach_hook(@key, :handle_info, &on_info/2)
    end
  end

  defp sessions(socket), do: Map.get(socket.private, @key, %{})

  defp find(socket, condition),
    do:
      Enum.find_value(sessions(socket), fn {_, session} -> if condition.(session), do: session end)

  defp put(socket, session) do
    sessions = Map.put(sessions(socket), session.name, session)
    Phoenix.LiveView.put_private(socket, @key, sessions)
  end

  defp update(socket, session, change) do
    view = Map.fetch!(socket.assigns, session.name)
    Phoenix.Component.assign(socket, session.name, change.(view))
  end
end
