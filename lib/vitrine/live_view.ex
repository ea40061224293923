defmodule Vitrine.LiveView do
  @moduledoc """
  Shows plugins in Phoenix LiveView. The HTML that a plugin renders is a part of a page, and viewers' events go to the
  plugin.

      defmodule MyAppWeb.GameLive do
        use MyAppWeb, :live_view

        def mount(%{"id" => id}, %{"player" => player}, socket) do
          {:ok,
           Vitrine.LiveView.attach(socket, :board,
             plugin: {:via, Registry, {MyApp.Games, id}},
             viewer: player,
             pubsub: MyApp.PubSub
           )}
        end

        def render(assigns) do
          ~H\"\"\"
          <h1>Your game</h1>
          <Vitrine.LiveView.plugin view={@board} />
          \"\"\"
        end
      end

  Vitrine does not depend on Phoenix. This module works if `:phoenix_live_view` is a dependency of the application, from
  0.20 to 1.2. The guide [Plugins in Phoenix](phoenix.md) has more.

  ## The plugin

  A plugin in a page is a `Vitrine.Server` or a `Vitrine.Pool`, and exports

    * `render`, which gets `{"player_id": viewer}` as JSON and returns HTML. `Vitrine.HTML` decides which parts of it
      reach the page
    * `handle_event`, which gets `{"player_id": viewer, "event_name": name, "value": {…}}` and returns a JSON object,
      or nothing. `version` in the object, a number or a string, identifies the plugin's state: views are rendered
      again if it differs from the version before, or is missing. An error of the plugin refuses the event, and its
      text is shown to the viewer

  With the option `:assigns` both documents also have `"assigns"`. These are the functions of GameBox's games, which run
  unchanged.

  ## Events and renders

  A click in the plugin's element becomes an event of the plugin's own namespace, so that it cannot be an event of the
  host. A hook of the socket takes the event, and a separate process passes it to the plugin. The socket serves the
  page meanwhile. Events of one viewer are passed on one at a time, in order.

  The version in the answer goes to all viewers, on all nodes that share the `:pubsub`. On each node the plugin is
  rendered once for all viewers who see the same page, and each socket sends what has changed for it.

  If the plugin fails, the viewer of that event gets a flash message, and the page stays as it was for everybody. If the
  plugin's server is restarted, views are rendered again when it is back.

  If a plugin changes by itself, or is called by other code, announce the change with `changed/2`.

  ## A live component

  `Vitrine.LiveView.Component` shows a plugin in a page that has nothing to do with the plugin, or shows several. Its
  options are those of `attach/3`.

  ## A whole view

  `use Vitrine.LiveView` makes a LiveView of a module with one function, which returns the options:

      defmodule MyAppWeb.BoardLive do
        use Vitrine.LiveView

        @impl Vitrine.LiveView
        def plugin(%{"id" => id}, %{"player" => player}, _socket) do
          {:ok, plugin: {:via, Registry, {MyApp.Games, id}}, viewer: player, pubsub: MyApp.PubSub}
        end
      end

  The options are those of `attach/3` and `:element`. `:element` is a keyword list with the texts `:pending` and
  `:failed`, which are shown as long as there is nothing else to show, and with attributes of the element, such as
  `element: [pending: "The board is being fetched …", class: "board"]`. By default the texts are "Loading …" and "This
  cannot be shown at the moment.", and the id is "vitrine".

  The view is the assign `:vitrine`. `mount/3` and `render/1` can be overridden, and all other callbacks of
  `Phoenix.LiveView` can be added. The module has LiveView's imports.

  Options of `use Vitrine.LiveView` are those of `use Phoenix.LiveView`, which need not be used in addition. If
  `use MyAppWeb, :live_view` stands before it, that is kept.

  The layout shows flash messages. Without a layout (no `:layout` here, and no `use` before) they stand above the
  element, like those of a component.
  """

  alias Vitrine.LiveView.{Element, Hub, Options, Page, Socket}
  alias Vitrine.Options.{Docs, Names, Tables}

  @typedoc "A `Phoenix.LiveView.Socket`."
  @type socket :: struct()

  @doc """
  Returns what a view made by `use Vitrine.LiveView` shows: the options of `attach/3` and `:element`. For a viewer who
  is not allowed to see it, returns a socket that is redirected.
  """
  @callback plugin(params :: map() | :not_mounted_at_router, session :: map(), socket()) ::
              {:ok, keyword()} | {:error, socket()}

  @doc false
  defmacro __using__(options) do
    # This is decided here, because an import inside of a condition is not visible after it, and the module needs
    # LiveView's imports. A `use` before this one has already imported them.
    used? = List.keymember?(__CALLER__.functions, Phoenix.LiveView, 0)
    phoenix = unless used?, do: quote(do: use(Phoenix.LiveView, unquote(options)))
    # A layout shows the messages of a page. Without one, this module has to show them.
    flash? = not used? and not (Keyword.keyword?(options) and Keyword.has_key?(options, :layout))

    quote do
      unquote(phoenix)

      @behaviour Vitrine.LiveView

      @impl Phoenix.LiveView
      def mount(params, session, socket) do
        {:ok,
         Vitrine.LiveView.__mount__(plugin(params, session, socket), socket, unquote(flash?))}
      end

      @impl Phoenix.LiveView
      def render(assigns), do: Vitrine.LiveView.__whole__(assigns)

      defoverridable mount: 3, render: 1
    end
  end

  @doc """
  Makes the socket a viewer of a plugin. Call it in `mount/3`, or whenever there is something to show. The assign `name`
  becomes the `Vitrine.LiveView.View` that `plugin/1` needs. A plugin that was attached by that name before is detached.

  A render that exists already, or arrives within `:patience`, is a part of the first page, even without JavaScript.
  Later renders are sent when they arrive.

  ## Options

  #{Docs.markdown(Tables.LiveView.schema())}
  Wrong options raise `ArgumentError`. All other failures are shown in the page. If a server is not running yet, the
  view waits for it.
  """
  @spec attach(socket(), atom(), keyword()) :: socket()
  def attach(socket, name, options) when is_atom(name), do: Socket.attach(socket, name, options)

  @doc "Detaches a plugin that was attached by `attach/3`. The assign is `nil` then."
  @spec detach(socket(), atom()) :: socket()
  def detach(socket, name) when is_atom(name), do: Socket.detach(socket, name)

  @doc """
  A function component that shows a plugin, as a `div` with the rendered HTML.

      <Vitrine.LiveView.plugin view={@board} id="board" class="card" pending="Loading …" />

    * `view` - the assign that `attach/3` made. `nil` shows nothing
    * `pending` and `failed` - texts that are shown as long as there is nothing else to show
    * All others are attributes of the element, including `phx-hook`

  Nothing in the element is painted outside of it (`Vitrine.HTML.containment/0`). Do not put the element into a form
  of the host. It has the class `vitrine`, `data-vitrine` with the namespace, `data-status` with the view's status,
  and `aria-busy` while it is busy.

  Pass the view as `view={@board}` through all components in between, and not together with others by `{assigns}`.
  LiveView then knows the previous view, and each change sends only what is new for the client. Otherwise each change
  sends the whole page of the plugin.
  """
  @spec plugin(map()) :: struct()
  def plugin(%{view: _} = assigns), do: Element.render(assigns)

  @doc false
  # This is not in the macro, because the compiler would warn about answers that a module's plugin/3 never returns.
  def __mount__(answer, socket, flash?), do: Page.mount(answer, socket, flash?)

  @doc false
  def __whole__(assigns), do: Page.render(assigns)

  @doc """
  Sends the plugin an event that does not come from its element: an upload that the host has received, a key, a timer.
  As for other events, the answer comes later.

  Raises `ArgumentError` if nothing is attached by this name.

      def handle_event("save", _params, socket) do
        paths = consume_uploaded_entries(socket, :drawing, fn %{path: path}, _entry -> {:ok, keep(path)} end)
        {:noreply, Vitrine.LiveView.dispatch(socket, :board, "uploaded", %{"paths" => paths})}
      end
  """
  @spec dispatch(socket(), atom(), String.t(), term()) :: socket()
  def dispatch(socket, name, event, value \\ %{}) when is_atom(name) and is_binary(event),
    do: Socket.dispatch(socket, name, event, value)

  @doc """
  Tells all viewers of a plugin that it has changed. Call it after the host itself has called the plugin.

    * `:version` - the version in the plugin's answer. If views have this version already, nothing happens. Without a
      version they are always rendered again
    * `:pubsub`, `:topic` - the values that were given to `attach/3`

  Viewers see the last state, but not each state in between: all changes during a render cause one more render.
  """
  @spec changed(term(), keyword()) :: :ok
  def changed(plugin, options \\ []) do
    options = Names.validate!(options, [:version, :pubsub, :topic])
    topic = options[:topic]
    topic = if options[:pubsub], do: Options.topic!(plugin, topic), else: topic
    Hub.changed({plugin, options[:pubsub], topic}, options[:version])
  end
end
