defmodule Vitrine.LiveView.Component do
  @moduledoc """
  A live component that shows a plugin, in any page. Several of them can stand side by side.

      <.live_component
        module={Vitrine.LiveView.Component}
        id="game"
        plugin={{:via, Registry, {MyApp.Games, @id}}}
        viewer={@player}
        assigns={%{"language" => @language}}
        pubsub={MyApp.PubSub}
        class="card"
      />

  The page needs nothing else: no callback, no hook, no assign. Each component has its own events, renders and
  messages, and its failures affect only itself.

  `id` is required, and is the id of the element. All options of `Vitrine.LiveView.attach/3` can be given, and the
  texts `pending` and `failed`, which are shown as long as there is nothing else to show. All others are attributes of
  the element, such as `class` or `phx-hook`. When the options change, the component follows: with another `viewer` it
  shows the page of that viewer.

  ## Differences from a view

    * `namespace` is the id by default, or is derived from it if the id cannot be a namespace. Viewers share renders
      only if they have the same namespace, so give components of one plugin the same id
    * `on_error` and `on_answer` get the component's socket. A flash message that they put there stands in the
      component's element, with the class `vitrine-message` and `data-kind`. The same holds for messages that are put
      by default. They disappear by a click, or with the viewer's next event. Messages of refusals also disappear with
      the next answer, and after `fade_after`. `on_error` can tell the page instead, with a function like
      `fn socket, error -> send(self(), {:game, error}); socket end`
    * A hook of the element sends events by `this.pushEventTo(this.el, "vitrine:game:drawn", …)`

  The element is a `div` with `data-vitrine-component`, the namespace. It contains the element of class `vitrine` that
  `Vitrine.LiveView.plugin/1` makes, with `data-status` and `aria-busy`.
  """

  # This module is what `use Phoenix.LiveComponent` would make, but Phoenix is not available when it is compiled.

  @compile {:no_warn_undefined, [Phoenix.Component, Phoenix.LiveView]}

  alias Vitrine.HTML

  alias Vitrine.LiveView.{
    ComponentProcess,
    Display,
    Element,
    Messages,
    Options,
    Session,
    Template
  }

  @static [
    "<div",
    "><div class=\"vitrine-messages\" aria-live=\"polite\">",
    "</div>",
    "</div>"
  ]

  # The assigns of a component that are not given to it.
  @own [:id, :myself, :flash, :inner_block, :__changed__]

  @doc """
  Sends a component's plugin an event that does not come from its element, as `Vitrine.LiveView.dispatch/4` does for a
  view. `page` is the process of the LiveView. Nothing happens if there is no such component.

      def handle_event("save", _params, socket) do
        paths = consume_uploaded_entries(socket, :drawing, fn %{path: path}, _entry -> {:ok, keep(path)} end)
        Vitrine.LiveView.Component.dispatch("game", "uploaded", %{"paths" => paths})
        {:noreply, socket}
      end
  """
  @spec dispatch(pid(), String.t(), String.t(), term()) :: :ok
  def dispatch(page \\ self(), id, event, value) when is_binary(event) do
    Phoenix.LiveView.send_update(page, __MODULE__, id: id, __vitrine__: {:dispatch, event, value})
    :ok
  end

  @doc false
  def __live__, do: %{kind: :component, layout: false}

  @doc false
  def update(%{__vitrine__: {:dispatch, event, value}}, socket),
    do: {:ok, take(socket, event, value)}

  def update(%{__vitrine__: {:hide, message}}, socket),
    do: {:ok, Messages.clear(socket, private(socket).session, message)}

  def update(%{__vitrine__: news}, socket) do
    %{process: process} = private(socket)
    # If it is not running, a new process finds the news.
    if ComponentProcess.acknowledge(process),
      do: {:ok, handle_news(socket, news)},
      else: {:ok, begin(socket)}
  end

  def update(assigns, socket) do
    {options, element} = assigns |> Map.drop(@own) |> Map.split(Options.keys())
    id = to_string(assigns.id)
    options = Map.put_new_lazy(options, :namespace, fn -> namespace(id) end)
    options = Options.check!(:view, Map.to_list(options))
    session = Session.new(:view, options, ~s([data-vitrine-component="#{options.namespace}"]))

    element = Map.merge(element, %{id: id, "data-vitrine-component": options.namespace})
    {:ok, socket |> Phoenix.Component.assign(:element, element) |> watch(session)}
  end

  # Options that concern only this side are used as they are.
  defp watch(socket, session) do
    before = private(socket)[:session]

    cond do
      before == nil or place(before) != place(session) ->
        socket |> put(session: session) |> Display.begin(session) |> begin()

      Session.same?(before, session) ->
        put(socket, session: %{before | options: session.options})

      true ->
        socket |> put(session: session) |> begin()
    end
  end

  # The earlier content must not be visible while the component waits for other content.
  defp place(session), do: {session.key, session.options.namespace}

  defp begin(socket) do
    %{session: session} = private(socket)

    if Phoenix.LiveView.connected?(socket) do
      process = process(socket)
      {joined, session} = ComponentProcess.watch(process, session)
      socket |> put(session: session, process: process) |> joined(session, joined)
    else
      # The page is sent only once.
      {joined, session} = Session.join(session)
      joined = if Session.await(joined, session), do: :ready, else: joined
      Session.leave(session)
      joined(socket, session, joined)
    end
  end

  defp process(socket) do
    process = private(socket)[:process]

    if process && Process.alive?(process),
      do: process,
      else: ComponentProcess.start(socket.assigns.myself)
  end

  defp joined(socket, session, :ready), do: Display.rendered(socket, session)
  defp joined(socket, session, :slow), do: Display.busy(socket, session)
  defp joined(socket, _session, :rendering), do: socket

  defp handle_news(socket, :there?), do: socket

  defp handle_news(socket, {:rendered, table}) do
    session = %{private(socket).session | table: table}
    socket |> put(session: session) |> Display.rendered(session)
  end

  defp handle_news(socket, :busy), do: Display.busy(socket, private(socket).session)

  defp handle_news(socket, {:answered, result}),
    do: Display.answered(socket, private(socket).session, result)

  @doc false
  def handle_event(event, value, socket) do
    namespace = private(socket).session.options.namespace

    case HTML.event(namespace, event) do
      # A form without an event.
      {:ok, ""} -> {:noreply, socket}
      {:ok, name} -> {:noreply, take(socket, name, HTML.params(namespace, value))}
      # The event is not for this plugin.
      :error -> {:noreply, socket}
    end
  end

  defp take(socket, name, value) do
    %{process: process} = private(socket)
    socket = if Process.alive?(process), do: socket, else: begin(socket)
    %{process: process, session: session} = private(socket)
    socket = Phoenix.LiveView.clear_flash(socket)

    case ComponentProcess.event(process, name, value) do
      :ok -> socket
      {:error, error} -> Display.failed(socket, session, error)
    end
  end

  # An id can be any text.
  defp namespace(id) do
    if Options.namespace?(id),
      do: id,
      else:
        "c" <> (:crypto.hash(:sha256, id) |> Base.encode16(case: :lower) |> binary_part(0, 24))
  end

  defp private(socket), do: Map.get(socket.private, :vitrine, %{})

  defp put(socket, changes) do
    private = Enum.into(changes, private(socket))
    Phoenix.LiveView.put_private(socket, :vitrine, private)
  end

  @doc false
  def render(assigns) do
    Template.render(__MODULE__, @static, fn track? ->
      changed = if track?, do: assigns.__changed__

      [
        Template.gap(changed, [:element], fn -> attributes(assigns) end),
        Template.gap(changed, [:flash], fn -> Messages.to_html(assigns.flash, assigns.myself) end),
        Template.gap(changed, [:view, :element], fn -> content(assigns, changed) end)
      ]
    end)
  end

  defp attributes(%{element: element}),
    do: element |> Map.drop([:pending, :failed]) |> Map.to_list() |> Template.attributes()

  defp content(assigns, changed) do
    Element.render(%{
      view: assigns.view,
      pending: assigns.element[:pending],
      failed: assigns.element[:failed],
      __changed__: changed && Map.take(changed, [:view])
    })
  end
end
