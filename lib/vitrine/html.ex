defmodule Vitrine.HTML do
  @moduledoc """
  HTML that plugins write, made safe to show in the host's pages, and rendered with small diffs.

      iex> Vitrine.HTML.sanitize("<b onclick='alert(1)'>Hi</b><script>alert(2)</script>", namespace: "game")
      {:ok, "<b>Hi</b>"}

  What is on a list stays, everything else goes: scripts, event handlers, frames, `javascript:` and
  `data:` addresses, CSS that reaches out of its element. What names something is put into the
  plugin's own namespace, so that it can neither be mistaken for the host's nor hide it:

  | a plugin writes            | the page has                            |
  |----------------------------|-----------------------------------------|
  | `id="board"`, `for="board"`| `id="game--board"`, `for="game--board"` |
  | `class="cell"`             | `class="game--cell"`                    |
  | `phx-click="move"`         | `phx-click="vitrine:game:move"`         |
  | `name="answer"`            | `name="game[answer]"`                   |

  `event/2` and `params/2` undo that for what comes back. The guide [Safe HTML](html.md) says what
  is allowed, what is not and why.

  ## Options

    * `:namespace` - the plugin's namespace, required: letters and digits, with single hyphens or
      underscores between them, at most 64 characters. Two plugins in one page need two
    * `:events` - the events of Phoenix LiveView that are kept, as `"click"` for `phx-click`. Default:
      `blur`, `change`, `click`, `focus`, `keydown`, `keyup` and `submit`. There are also
      `click-away` and, of the whole window, `window-blur`, `window-focus`, `window-keydown` and
      `window-keyup`: with these a plugin is told what is done and typed elsewhere in the page
    * `:target` - what each element with an event gets as `phx-target`: an integer, such as a
      component's `@myself.cid`, or a selector. Default: `nil`, none
    * `:classes` - the host's own classes that plugins may use, unchanged. Default: none
    * `:schemes` - schemes of links. Default: `https`, `http`, `mailto`
    * `:images` - hosts that images may be loaded from, by https; `"*"` is any. Whoever has such a host
      learns who looks at the page. Default: none
    * `:own_hosts` - names of hosts that no link may lead to, with all names below them: `["example.com"]` is also
      `www.example.com`. Give your application's own, where a link would be followed with the user's cookies. Default: none
    * `:tags`, `:attributes` - more elements and attributes, as `["video"]` and
      `[{"video", "controls"}, {"*", "itemprop"}]`. What would run scripts cannot be added
    * `:properties` - more CSS properties. What they do is for the host to know
    * `:contained` - whether the host's element contains what is painted in it, as `containment/0`
      does. CSS may then move things, and make shadows. Default: `false`
    * `:max_bytes` - the largest document. Default: 256 KiB
    * `:max_depth` - how deep elements may be nested, at most 256. Default: 64

  Options that are wrong raise `ArgumentError`. A document that cannot be made safe is an error with
  the reason `:html`: one that is too large, too deep, has more than 256 attributes in a tag, takes a parser out of
  proportion long, or is such that parsers do not agree on what it is. Which documents these are does not depend
  on how fast the machine is.

  A document that is strict, as the guide [Safe HTML](html.md#fast-documents) describes it, takes one scan: one or
  two milliseconds for 400 elements. Others take a parser several times longer.

  A short document is begun by the process's own scheduler, a longer one by a dirty one. One that takes long is
  worked on in pieces, between which the process can be killed: with `:max_bytes` as it is by default, no
  scheduler is held for more than about a tenth of a second at a time, even by a hostile document.
  """

  alias Vitrine.{Error, Native}
  alias Vitrine.HTML.{Names, Options, Renderer, Tree}
  alias Vitrine.Native.Permit
  alias Vitrine.Options.Argument

  # What is worth a try on the process's own scheduler, in bytes.
  @short 4096

  @doc """
  Makes a plugin's HTML safe.

      iex> html = ~s(<button class="cell" phx-click="move" phx-value-cell="4">X</button>)
      iex> {:ok, safe} = Vitrine.HTML.sanitize(html, namespace: "game")
      iex> safe
      ~s(<button class="game--cell" phx-click="vitrine:game:move" phx-value-cell="4">X</button>)
      iex> Vitrine.HTML.sanitize(safe, namespace: "game")
      {:ok, safe}

      iex> {:error, error} = Vitrine.HTML.sanitize(String.duplicate("<div>", 100), namespace: "game")
      iex> {error.reason, error.message}
      {:html, "the plugin's HTML cannot be shown: it is nested too deep; the limit is 64 elements within each other (max_depth: 64)"}
  """
  @spec sanitize(iodata(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def sanitize(html, options) do
    policy = Options.policy!(options)
    run(html, policy, &Native.html_sanitize/2, &Native.html_sanitize_dirty/2)
  end

  @doc """
  Makes a plugin's HTML safe and ready to be rendered, once for all who look at it.

      iex> {:ok, tree} = Vitrine.HTML.parse("<p>1 &lt; 2", namespace: "game")
      iex> IO.iodata_to_binary(Vitrine.HTML.to_iodata(tree))
      "<p>1 &lt; 2</p>"
  """
  @spec parse(iodata(), keyword()) :: {:ok, Tree.t()} | {:error, Error.t()}
  def parse(html, options) do
    policy = Options.policy!(options)

    with {:ok, {root, shapes}} <-
           run(html, policy, &Native.html_parse/2, &Native.html_parse_dirty/2),
         do: {:ok, %Tree{root: root, shapes: shapes}}
  end

  defp run(html, policy, normal, dirty) do
    html = Argument.bytes!(html, "the HTML")

    with {:error, message} <- work(html, policy, normal, dirty) do
      why = why(message, html, policy)
      {:error, %Error{reason: :html, message: "the plugin's HTML cannot be shown: " <> why}}
    end
  end

  # Of its limits those that are options.
  defp why("it is too long", html, %{max_bytes: most}) when byte_size(html) > most,
    do: "it has #{byte_size(html)} bytes; the limit is #{most} bytes (max_bytes: #{most})"

  defp why("it is nested too deep" = why, _html, %{max_depth: most}),
    do: "#{why}; the limit is #{most} elements within each other (max_depth: #{most})"

  defp why(message, _html, _policy), do: message

  # What is short is begun by the process's own scheduler, and often done then.
  defp work(html, policy, normal, _dirty) when byte_size(html) <= @short,
    do: go_on(normal.(html, policy))

  defp work(html, policy, _normal, dirty),
    do: go_on(Permit.run(fn -> dirty.(html, policy) end))

  # Between two pieces of the work the process can be killed, which ends it.
  defp go_on({:more, document}),
    do: go_on(Permit.run(fn -> Native.html_resume_dirty(document) end))

  defp go_on(answer), do: answer

  @doc ~S'''
  What a LiveView or a component returns, or has in its template, to show a tree.

  With Phoenix LiveView that is a `Phoenix.LiveView.Rendered`, of which only what differs is sent to
  the browser. `previous` is the tree that was rendered last **in this place for this viewer**, or `nil`
  when there was none. Without LiveView it is `{:safe, iodata}`.

      # in a LiveView
      def render(assigns) do
        ~H"""
        <div style={Vitrine.HTML.containment()}>{Vitrine.HTML.to_rendered(@tree, @previous)}</div>
        """
      end
  '''
  @spec to_rendered(Tree.t(), Tree.t() | nil) :: struct() | {:safe, iodata()}
  def to_rendered(%Tree{} = tree, previous \\ nil) do
    case Renderer.structs() do
      nil -> {:safe, to_iodata(tree)}
      structs -> Renderer.render(tree, previous, structs)
    end
  end

  @doc "The whole document."
  @spec to_iodata(Tree.t()) :: iodata()
  defdelegate to_iodata(tree), to: Tree

  @doc """
  The plugin's name of an event that came from its HTML, or `:error` if it is not of this namespace.

      iex> Vitrine.HTML.event("game", "vitrine:game:move")
      {:ok, "move"}
      iex> Vitrine.HTML.event("game", "delete_account")
      :error

  A form without an event gets one without a name, so that a browser does not send it by itself:
  `{:ok, ""}`.
  """
  @spec event(String.t(), String.t()) :: {:ok, String.t()} | :error
  defdelegate event(namespace, event), to: Names

  @doc """
  The parameters of an event as the plugin named them: fields of forms lose their namespace, and what
  was sent with the event stays.

      iex> Vitrine.HTML.params("game", %{"game" => %{"answer" => "42"}, "_target" => ["game", "answer"]})
      %{"answer" => "42", "_target" => ["answer"]}
      iex> Vitrine.HTML.params("game", %{"cell" => "4", "value" => ""})
      %{"cell" => "4", "value" => ""}
  """
  @spec params(String.t(), map()) :: map()
  defdelegate params(namespace, params), to: Names

  @doc """
  CSS for the host's element around a plugin's HTML, so that nothing in it is painted or can be
  clicked outside of the element. With that, documents can be `contained: true`.

      iex> Vitrine.HTML.containment()
      "contain: content; isolation: isolate; overflow: auto"
  """
  @spec containment() :: String.t()
  def containment, do: "contain: content; isolation: isolate; overflow: auto"
end
