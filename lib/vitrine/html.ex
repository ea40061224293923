defmodule Vitrine.HTML do
  alias Vitrine.Options.{Docs, Tables}

  @moduledoc """
  Makes HTML of plugins safe to show in the host's pages, and renders it with small diffs.

      iex> Vitrine.HTML.sanitize("<b onclick='alert(1)'>Hi</b><script>alert(2)</script>", namespace: "game")
      {:ok, "<b>Hi</b>"}

  Only elements, attributes and CSS that are on a list are kept. Everything else is removed: scripts, event handlers,
  frames, `javascript:` and `data:` addresses, CSS that affects anything outside of its element. Names are put into
  the plugin's own namespace, so that the plugin can neither imitate nor hide names of the host:

  | a plugin writes            | the page has                            |
  |----------------------------|-----------------------------------------|
  | `id="board"`, `for="board"`| `id="game--board"`, `for="game--board"` |
  | `class="cell"`             | `class="game--cell"`                    |
  | `phx-click="move"`         | `phx-click="vitrine:game:move"`         |
  | `name="answer"`            | `name="game[answer]"`                   |

  `event/2` and `params/2` reverse this for events that come back. The guide [Safe HTML](html.md) describes what is
  allowed, what is not, and why.

  ## Options

  #{Docs.markdown(Tables.HTML.schema())}
  Wrong options raise `ArgumentError`.

  ## Refused documents

  A document that cannot be made safe is an error with the reason `:html`. A document is refused if it

    * is too large or nested too deep,
    * has more than 256 attributes in a tag,
    * would take a parser disproportionately long, or
    * is such that parsers do not agree on its meaning.

  Which documents are refused does not depend on the speed of the machine.

  ## Speed

  A strict document, as the guide [Safe HTML](html.md#fast-documents) describes it, takes one scan: one or two
  milliseconds for 400 elements. Other documents need a parser, which takes several times longer.

  A short document is started on the process's own scheduler, a longer one on a dirty scheduler. A document that takes
  long is processed in pieces, and the process can be killed between them. With the default `:max_bytes`, no scheduler
  is held for more than about a tenth of a second at a time, even by a hostile document.
  """

  alias Vitrine.{Error, Native}
  alias Vitrine.HTML.{Names, Options, Renderer, Tree}
  alias Vitrine.Native.Permit
  alias Vitrine.Options.Argument

  # The longest document that is started on the process's own scheduler, in bytes.
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
  Makes a plugin's HTML safe and ready to be rendered, once for all of its viewers.

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

  # The limits that are options.
  defp why("it is too long", html, %{max_bytes: most}) when byte_size(html) > most,
    do: "it has #{byte_size(html)} bytes; the limit is #{most} bytes (max_bytes: #{most})"

  defp why("it is nested too deep" = why, _html, %{max_depth: most}),
    do: "#{why}; the limit is #{most} elements within each other (max_depth: #{most})"

  defp why(message, _html, _policy), do: message

  # A short document is started on the process's own scheduler, which often finishes it.
  defp work(html, policy, normal, _dirty) when byte_size(html) <= @short,
    do: go_on(normal.(html, policy))

  defp work(html, policy, _normal, dirty),
    do: go_on(Permit.run(fn -> dirty.(html, policy) end))

  # Between two pieces of the work the process can be killed, which ends it.
  defp go_on({:more, document}),
    do: go_on(Permit.run(fn -> Native.html_resume_dirty(document) end))

  defp go_on(answer), do: answer

  @doc ~S'''
  Returns what a LiveView or a component has to return, or to have in its template, to show a tree.

  With Phoenix LiveView that is a `Phoenix.LiveView.Rendered`, of which only the differences are sent to the browser.
  `previous` is the tree that was rendered last **in this place for this viewer**, or `nil` if there was none. Without
  LiveView it is `{:safe, iodata}`.

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

  @doc "Returns the whole document."
  @spec to_iodata(Tree.t()) :: iodata()
  defdelegate to_iodata(tree), to: Tree

  @doc """
  Returns the plugin's name of an event that came from its HTML, or `:error` if the event is not of this namespace.

      iex> Vitrine.HTML.event("game", "vitrine:game:move")
      {:ok, "move"}
      iex> Vitrine.HTML.event("game", "delete_account")
      :error

  A form without an event gets an event without a name, so that a browser does not send the form by itself. For such
  an event the function returns `{:ok, ""}`.
  """
  @spec event(String.t(), String.t()) :: {:ok, String.t()} | :error
  defdelegate event(namespace, event), to: Names

  @doc """
  Returns the parameters of an event as the plugin named them. Fields of forms lose their namespace, and other
  parameters stay as they are.

      iex> Vitrine.HTML.params("game", %{"game" => %{"answer" => "42"}, "_target" => ["game", "answer"]})
      %{"answer" => "42", "_target" => ["answer"]}
      iex> Vitrine.HTML.params("game", %{"cell" => "4", "value" => ""})
      %{"cell" => "4", "value" => ""}
  """
  @spec params(String.t(), map()) :: map()
  defdelegate params(namespace, params), to: Names

  @doc """
  Returns CSS for the host's element around a plugin's HTML. With it, nothing inside is painted or can be clicked
  outside of the element, and documents can be `contained: true`.

      iex> Vitrine.HTML.containment()
      "contain: content; isolation: isolate; overflow: auto"
  """
  @spec containment() :: String.t()
  def containment, do: "contain: content; isolation: isolate; overflow: auto"
end
