defmodule Vitrine.LiveView.Socket do
  @moduledoc false
  # The connection between views and Phoenix. A socket's assigns have what templates see, its private part has the
  # rest, and hooks take the events and messages for a plugin.

  @compile {:no_warn_undefined, [Phoenix.Component, Phoenix.LiveView]}

  alias Vitrine.HTML
  alias Vitrine.LiveView.{Calls, Display, Messages, Options, Session}

  @key :vitrine
  @prefix "vitrine:"

  @doc "`Vitrine.LiveView.attach/3`"
  def attach(socket, name, options) do
    options = Options.check!(name, options)
    socket = socket |> detach(name) |> with_hooks()
    own_namespace!(socket, name, options.namespace)
    {state, session} = name |> Session.new(options) |> Session.join()

    socket = socket |> put(session) |> Display.begin(session)

    socket =
      case Session.await(state, session) do
        nil when state == :slow -> Display.busy(socket, session)
        nil -> socket
        result -> Display.show(socket, session, result)
      end

    # A page without a socket is sent once, and its process may continue with other requests.
    unless Phoenix.LiveView.connected?(socket), do: Session.leave(session)
    socket
  end

  # Events are distinguished by it.
  defp own_namespace!(socket, name, namespace) do
    for {other, %{options: %{namespace: ^namespace}}} <- sessions(socket) do
      raise ArgumentError,
            "expected the option :namespace of #{inspect(name)} to be another one than that of " <>
              "#{inspect(other)}, got: #{inspect(namespace)} for both"
    end
  end

  @doc "`Vitrine.LiveView.detach/2`"
  def detach(socket, name) do
    case sessions(socket) do
      %{^name => session} ->
        Session.leave(session)

        socket
        |> Messages.clear(session)
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
    socket = Messages.clear(socket, session)

    case Session.event(session, event, value) do
      {:ok, session} -> put(socket, session)
      {:error, error} -> Display.failed(socket, session, error)
    end
  end

  # Events of plugins never reach the host's handle_event, not even those of a plugin that is gone.
  defp on_event(@prefix <> _ = event, value, socket) do
    found =
      Enum.find_value(sessions(socket), fn {_name, session} ->
        with {:ok, name} <- HTML.event(session.options.namespace, event),
             do: {session, name},
             else: (:error -> nil)
      end)

    case found do
      # A form without an event.
      {_session, ""} ->
        {:halt, socket}

      {session, name} ->
        {:halt, take(socket, session, name, HTML.params(session.options.namespace, value))}

      nil ->
        {:halt, socket}
    end
  end

  defp on_event(_event, _value, socket), do: {:cont, socket}

  defp on_info({:vitrine_live_view, tag, news}, socket) do
    case find(socket, &(&1.tag == tag)) do
      nil -> {:halt, socket}
      session -> {:halt, handle_news(socket, session, news)}
    end
  end

  defp on_info({:DOWN, monitor, :process, _, reason}, socket) do
    case find(socket, &(&1.monitor == monitor or match?({_, ^monitor}, &1.running))) do
      nil ->
        {:cont, socket}

      %{monitor: ^monitor} = session ->
        {:halt, rejoin(socket, session)}

      session ->
        {:halt, handle_news(socket, session, {:answered, {:error, Calls.failure(reason)}})}
    end
  end

  defp on_info(_message, socket), do: {:cont, socket}

  defp handle_news(socket, session, :rendered), do: Display.rendered(socket, session)
  defp handle_news(socket, session, :slow), do: Display.busy(socket, session)

  defp handle_news(socket, session, {:hide, message}),
    do: Messages.clear(socket, session, message)

  defp handle_news(socket, session, {:late, event}) do
    if Session.late?(session, event), do: Display.busy(socket, session), else: socket
  end

  defp handle_news(socket, session, {:answered, result}),
    do: socket |> put(Session.over(session)) |> Display.answered(session, result)

  defp rejoin(socket, session) do
    {state, session} = Session.join(session)
    socket = put(socket, session)

    case state do
      :ready -> handle_news(socket, session, :rendered)
      :slow -> handle_news(socket, session, :slow)
      :rendering -> socket
    end
  end

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
end
