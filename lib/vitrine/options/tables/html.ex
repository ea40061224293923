defmodule Vitrine.Options.Tables.HTML do
  @moduledoc false
  # The options of Vitrine.HTML.

  import Vitrine.Options.Argument, only: [list_of?: 2, text?: 1]

  alias Vitrine.Options.Schema

  @events ~w(blur change click focus keydown keyup submit)
  @more_events ~w(click-away window-blur window-focus window-keydown window-keyup)

  @names [
    namespace: [
      type:
        {:is, &__MODULE__.namespace?/1,
         "letters and digits with single hyphens or underscores between them, at most 64"},
      type_doc: "a string",
      required: true,
      doc: """
      The plugin's namespace: at most 64 letters and digits, with single hyphens or underscores between them. Two plugins in
      one page need two namespaces.
      """
    ],
    classes: [
      type: {:is, &__MODULE__.strings?/1, "a list of strings"},
      default: [],
      doc: "Classes of the host that plugins may use, unchanged."
    ]
  ]

  @events_group [
    events: [
      type: {:list_in, @events ++ @more_events},
      type_doc: "a list of strings",
      default: @events,
      default_doc: Enum.map_join(@events, ", ", &"`#{&1}`"),
      doc: """
      The events of Phoenix LiveView that are kept, such as `"click"` for `phx-click`. Also possible are `click-away` and,
      for the whole window, `window-blur`, `window-focus`, `window-keydown` and `window-keyup`. These tell the plugin what
      is clicked and typed elsewhere in the page.
      """
    ],
    target: [
      type: {:is, &__MODULE__.target?/1, "an integer or a selector"},
      default_doc: "no target",
      doc: """
      The `phx-target` of each element with an event: an integer, such as a component's `@myself.cid`, or a selector.
      """
    ]
  ]

  @addresses [
    schemes: [
      type: {:is, &__MODULE__.schemes?/1, "a list of schemes in lower case"},
      default: ~w(https http mailto),
      default_doc: "`https`, `http`, `mailto`",
      doc:
        "The schemes of links. A scheme that runs code, such as `javascript`, raises `ArgumentError`."
    ],
    images: [
      type: {:is, &__MODULE__.strings?/1, "a list of strings"},
      default: [],
      doc: """
      The hosts that images may be loaded from, by https. `"*"` is any host. The owner of such a host learns who views the
      page.
      """
    ],
    own_hosts: [
      type:
        {:is, &__MODULE__.hosts?/1, "a list of names of hosts, in lower case and without a port"},
      type_doc: "a list of names of hosts",
      default: [],
      doc: """
      The hosts that no link may lead to, including all names below them: `["example.com"]` also covers
      `www.example.com`. List your application's own hosts if a link to them would be followed with the user's cookies.
      """
    ]
  ]

  @more [
    tags: [
      type: {:is, &__MODULE__.strings?/1, "a list of strings"},
      default: [],
      doc:
        ~s(More elements, such as `["video"]`. An element that would run scripts raises `ArgumentError`.)
    ],
    attributes: [
      type: {:is, &__MODULE__.attributes?/1, "a list of {element, attribute}"},
      type_doc: "a list of `{element, attribute}`",
      default: [],
      doc: """
      More attributes, such as `[{"video", "controls"}, {"*", "itemprop"}]`. An attribute that would run scripts raises
      `ArgumentError`.
      """
    ],
    properties: [
      type: {:is, &__MODULE__.strings?/1, "a list of strings"},
      default: [],
      doc: "More CSS properties. The host must know what they do."
    ],
    contained: [
      type: :boolean,
      default: false,
      doc: """
      Whether the host's element contains what is painted in it, as with `containment/0`. If so, CSS may move elements and
      draw shadows.
      """
    ]
  ]

  @limits [
    max_bytes: [
      type: {:integer, 1, to: 0x1000_0000, unit: "bytes"},
      default: 256 * 1024,
      doc:
        "The largest document, at most 256 MiB. A larger document is refused, with the error `:html`."
    ],
    max_depth: [
      type: {:integer, 1, to: 256},
      default: 64,
      doc:
        "The most elements within each other. A document that is nested deeper is refused, with the error `:html`."
    ]
  ]

  @schema Schema.new([
            {"Names", @names},
            {"Events", @events_group},
            {"Addresses", @addresses},
            {"More HTML", @more},
            {"Limits", @limits}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema

  @doc "Whether a term can be a namespace."
  @spec namespace?(term()) :: boolean()
  def namespace?(text) do
    is_binary(text) and byte_size(text) <= 64 and
      text =~ ~r/\A[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*\z/
  end

  @doc false
  def strings?(list), do: list_of?(list, &text?/1)

  @doc false
  def target?(target), do: is_integer(target) or text?(target)

  @doc false
  def schemes?(schemes), do: list_of?(schemes, &(text?(&1) and &1 =~ ~r/\A[a-z][a-z0-9+.-]*\z/))

  @doc false
  def hosts?(hosts),
    do: list_of?(hosts, &(text?(&1) and &1 =~ ~r/\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?\z/))

  @doc false
  def attributes?(attributes) do
    list_of?(attributes, &(match?({_, _}, &1) and text?(elem(&1, 0)) and text?(elem(&1, 1))))
  end
end
