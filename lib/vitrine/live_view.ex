defmodule Vitrine.LiveView do
  @moduledoc """
  Plugins in Phoenix LiveView: what a plugin renders is a part of a page, and what people do there
  goes to the plugin.

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

  Vitrine does not depend on Phoenix: this module works where `:phoenix_live_view` is a dependency of
  the application, from 0.20 to 1.2. The guide "Plugins in Phoenix" has more.

  ## The plugin

  A plugin in a page is a `Vitrine.Server` or a `Vitrine.Pool`, and exports

    * `render`, which gets `{"player_id": viewer}` as JSON and answers with HTML. What of that may
      stand in a page is a matter of `Vitrine.HTML`
    * `handle_event`, which gets `{"player_id": viewer, "event_name": name, "value": {…}}` and answers
      with a JSON object, or with nothing. `version` in it, a number or a string, says which state the
      plugin has now: views are rendered again if it is another one than before, or is missing. An
      error of the plugin refuses the event; its text is for the viewer

  With the option `:assigns` both have `"assigns"`, too. These are the functions of GameBox's games,
  which run as they are.

  ## What happens when

  A click in the plugin's element becomes an event of its own namespace, so that it cannot be one of
  the host's. A hook of the socket takes it and tells the plugin, in a process of its own: the socket
  goes on serving the page, and one viewer's events are told one at a time, in order. The answer's
  version goes to all viewers, on all nodes that share the `:pubsub`. On each node the plugin is
  rendered once for all viewers who see the same, and each socket sends what has changed for it.

  If the plugin fails, the viewer whose event it was gets a flash message, and everybody keeps the
  page that there was. If its server is restarted, views are rendered again when it is back.

  A plugin that changes by itself, or is called by something else, is announced by `changed/2`.

  ## A live component

  `Vitrine.LiveView.Component` is the same for a page that has nothing to do with the plugin, or with
  several. Its options are those of `attach/3`.

  ## A whole view

  `use Vitrine.LiveView` makes a LiveView of a module with one function, which says what is shown:

      defmodule MyAppWeb.BoardLive do
        use Vitrine.LiveView

        @impl Vitrine.LiveView
        def plugin(%{"id" => id}, %{"player" => player}, _socket) do
          {:ok, plugin: {:via, Registry, {MyApp.Games, id}}, viewer: player, pubsub: MyApp.PubSub}
        end
      end

  The options are those of `attach/3`, and `:element`, a keyword list with `:pending` and `:failed`, the texts for as
  long as there is nothing to show, and attributes of the element, such as
  `element: [pending: "The board is being fetched …", class: "board"]`. By default the texts are "Loading …" and "This cannot be
  shown at the moment.", and the id is "vitrine".

  The view is the assign `:vitrine`. `mount/3` and `render/1` can be overridden, and all other callbacks of
  `Phoenix.LiveView` be added; the module has LiveView's imports. Options of `use` are those of `use
  Phoenix.LiveView`, which need not stand there besides; where `use MyAppWeb, :live_view` stands before it, that is
  kept. Flash messages are shown by the layout. Without one (no `:layout` here, and no `use` before) they stand above the
  element, as those of a component do.
  """

  alias Vitrine.Keys
  alias Vitrine.LiveView.{Element, Hub, Options, Page, Socket}

  @typedoc "A `Phoenix.LiveView.Socket`."
  @type socket :: struct()

  @doc """
  What a view made by `use Vitrine.LiveView` shows: the options of `attach/3` and `:element`, or a socket that is
  redirected, for a viewer who has no business there.
  """
  @callback plugin(params :: map() | :not_mounted_at_router, session :: map(), socket()) ::
              {:ok, keyword()} | {:error, socket()}

  @doc false
  defmacro __using__(options) do
    # Decided here: what is imported inside of a condition is gone after it, and the module is to have LiveView's
    # imports. A `use` that stands before this one has brought them.
    used? = List.keymember?(__CALLER__.functions, Phoenix.LiveView, 0)
    phoenix = unless used?, do: quote(do: use(Phoenix.LiveView, unquote(options)))
    # A layout shows the messages of a page; without one nothing would.
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
  Makes the socket a viewer of a plugin: in `mount/3`, or whenever there is something to show. The
  assign `name` is the `Vitrine.LiveView.View` that `plugin/1` wants; what was attached by that name
  before is detached.

  A render that is there already, or comes within `:patience`, is a part of the first page, also without
  JavaScript. Later ones arrive by themselves.

  ## Options

    * `:plugin` - the server or pool; required
    * `:viewer` - who looks on: what the plugin gets as `"player_id"`, a string or what else is JSON.
      Viewers with the same `:viewer` and `:assigns` share what is rendered, so one value for
      everybody who is to see the same, such as spectators, saves renders. It comes from the server's
      side: no event can say to be of somebody else. `nil` by default
    * `:assigns` - a map for the plugin about this viewer: language, time zone, colours
    * `:pubsub` - the application's `Phoenix.PubSub`, by which viewers on other nodes hear of changes.
      Without it, only those on this one do
    * `:topic` - the topic there. By default one that the plugin's name makes; a pid needs one
    * `:take` - the keys of answers, strings, that are kept in the view as `view.answer`. No other part
      of an answer leaves this module: the socket's assigns are the host's alone. `[]` by default
    * `:on_answer` - a function of the socket and those keys of each answer, that returns the socket.
      It runs in the view's own process
    * `:on_error` - a function of the socket and a `Vitrine.Error`, that returns the socket. By default
      the error is logged, as a warning, and becomes a flash message of the kind `:error`, a sentence that tells nothing of
      the plugin's insides. If the plugin refused the event (`:guest_error`), which is a normal answer, it is logged
      for debugging only, and the message is the plugin's own text, at most 200 characters of it. The message goes
      away with the viewer's next event, or with the next answer
    * `:fade_after` - after how many milliseconds a refusal's message goes away by itself, or `:infinity`; 6000
    * `:timeout` - for each call of the plugin, as in `Vitrine.call/4`
    * `:html` - options of `Vitrine.HTML`, such as `[images: ["img.example.com"]]`. `:contained` is `true`,
      as the element of `plugin/1` contains what is painted in it
    * `:render`, `:handle_event` - other names of the plugin's functions
    * `:patience` - how long the first page waits for the first render, in milliseconds; 100
    * `:slow_after` - how long an event or a render may take before the view is `busy`, in
      milliseconds; 250
    * `:max_event_bytes` - the size of an event's value, roughly that of its text; 65 536. Larger ones
      are refused
    * `:max_events` - how many events of this viewer may wait for the plugin; 16
    * `:namespace` - what names of the plugin's events, ids and classes begin with: up to 32 of a-z
      and 0-9, with single - or _ between. By default the name. Two plugins of one view cannot have the same
    * `:temporary` - whether the socket forgets what it has sent. Memory of a viewer is next to nothing
      then, and each change sends the whole of the plugin's page. `false` by default

  Wrong options raise `ArgumentError`. Whatever else is wrong is something that the page shows: a server
  that is not running yet is waited for.
  """
  @spec attach(socket(), atom(), keyword()) :: socket()
  def attach(socket, name, options) when is_atom(name), do: Socket.attach(socket, name, options)

  @doc "Ends what `attach/3` began; the assign is `nil` then."
  @spec detach(socket(), atom()) :: socket()
  def detach(socket, name) when is_atom(name), do: Socket.detach(socket, name)

  @doc """
  The function component that shows a plugin: a `div` with what it rendered.

      <Vitrine.LiveView.plugin view={@board} id="board" class="card" pending="Loading …" />

    * `view` - the assign that `attach/3` made; `nil` shows nothing
    * `pending` and `failed` - texts for as long as there is nothing to show
    * all others are attributes of the element, also `phx-hook`

  Nothing in it is painted outside of it (`Vitrine.HTML.containment/0`), and it should not stand in a form of
  the host. The element has the class `vitrine`, `data-vitrine` with the namespace, `data-status` with the view's
  status, and `aria-busy` while it is busy.

  Give it as is, `view={@board}`, through all components that are between, and not with all others by
  `{assigns}`: then LiveView knows what the view was before, and each change sends only what is new for
  the client. Otherwise all of it is sent.
  """
  @spec plugin(map()) :: struct()
  def plugin(%{view: _} = assigns), do: Element.render(assigns)

  @doc false
  # Not in the macro: the compiler would warn of answers that a module's plugin/3 never has.
  def __mount__(answer, socket, flash?), do: Page.mount(answer, socket, flash?)

  @doc false
  def __whole__(assigns), do: Page.render(assigns)

  @doc """
  Tells the plugin of an event that does not come from its element: an upload that the host has
  received, a key, a timer. As for other events, the answer comes later.

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
  Tells all viewers of a plugin that it has changed: after a call that the host made itself.

    * `:version` - the version of an answer. Nothing happens if views know it already; without one they
      are rendered again in any case
    * `:pubsub`, `:topic` - as they were given to `attach/3`

  Viewers see the last state, not each one between: while a render is under way, changes make one more.
  """
  @spec changed(term(), keyword()) :: :ok
  def changed(plugin, options \\ []) do
    options = Keys.validate!(options, [:version, :pubsub, :topic])
    topic = options[:topic]
    topic = if options[:pubsub], do: Options.topic!(plugin, topic), else: topic
    Hub.changed({plugin, options[:pubsub], topic}, options[:version])
  end
end
