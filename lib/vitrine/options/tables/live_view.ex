defmodule Vitrine.Options.Tables.LiveView do
  @moduledoc false
  # The options of Vitrine.LiveView.attach/3.

  import Vitrine.Options.Argument, only: [list_of?: 2]

  alias Vitrine.Options.{Schema, Type}

  @shown [
    plugin: [
      type: {:checked, "a Vitrine.Server or a Vitrine.Pool, which can be shared"},
      type_doc: "a pid or a name",
      required: true,
      doc:
        "The `Vitrine.Server` or `Vitrine.Pool` that is shown. One that is not running yet is waited for."
    ],
    viewer: [
      type: :any,
      type_doc: "a string, or another term that JSON has a form for",
      default_doc: "`nil`",
      doc: """
      The viewer of the page, which the plugin gets as `"player_id"`. It comes from the server's side, so no event can claim to
      be of somebody else. Viewers with the same `:viewer` and `:assigns` share what is rendered. Give one value for everybody
      who is to see the same, such as spectators: this saves renders.
      """
    ],
    assigns: [
      type: {:is, &is_map/1, "a map"},
      default: %{},
      doc:
        "The facts that the plugin is told about this viewer: language, time zone, colours and so on."
    ],
    render: [
      type: {:is, &is_binary/1, "the name of a plugin function"},
      default: "render",
      doc: "The plugin function that renders."
    ],
    handle_event: [
      type: {:is, &is_binary/1, "the name of a plugin function"},
      default: "handle_event",
      doc: "The plugin function that gets events."
    ],
    html: [
      type: {:checked, "options of Vitrine.HTML"},
      type_doc: "options of `Vitrine.HTML`",
      default: [],
      doc: """
      How the plugin's HTML is made safe, such as `[images: ["img.example.com"]]`. `:contained` is `true` there, because the
      element of `plugin/1` contains what is painted in it.
      """
    ],
    namespace: [
      type:
        {:is, &__MODULE__.namespace?/1, "up to 32 of a-z and 0-9, with single - or _ between"},
      type_doc: "a string",
      default_doc: "the name",
      doc: """
      The prefix of the names of the plugin's events, ids and classes: up to 32 of a-z and 0-9, with single - or _ between.
      Two plugins of one view cannot have the same namespace.
      """
    ],
    temporary: [
      type: :boolean,
      default: false,
      doc: """
      Whether the socket forgets what it has sent. A viewer then takes next to no memory, and each change sends the whole of
      the plugin's page.
      """
    ]
  ]

  @viewers [
    pubsub: [
      type: :any,
      type_doc: "a name",
      default_doc: "only viewers on this node hear of changes",
      doc: "The application's `Phoenix.PubSub`, by which viewers on other nodes hear of changes."
    ],
    topic: [
      type: {:is, &is_binary/1, "a string"},
      default_doc: "one made of the plugin's name",
      doc: "The topic of `:pubsub`. A plugin that is given as a pid needs one."
    ]
  ]

  @answers [
    take: [
      type: {:is, &__MODULE__.strings?/1, "a list of strings"},
      default: [],
      doc: """
      The keys of answers that are kept in the view, as `view.answer`. No other part of an answer leaves this module: the
      socket's assigns are the host's alone.
      """
    ],
    on_answer: [
      type: {:is, &__MODULE__.function?/1, "a function of the socket and one more argument"},
      type_doc: "a function of two arguments",
      default_doc: "nothing is done",
      doc: """
      A function of the socket and those keys of each answer, that returns the socket. It runs in the process of the view.
      """
    ],
    on_error: [
      type: {:is, &__MODULE__.function?/1, "a function of the socket and one more argument"},
      type_doc: "a function of two arguments",
      default_doc: "the error is logged and becomes a flash message",
      doc: """
      A function of the socket and a `Vitrine.Error`, that returns the socket.

      Without it, an error is logged as a warning and becomes a flash message of the kind `:error`, whose sentence tells
      nothing of the plugin's insides. A refused event (`:guest_error`) is a normal answer: it is logged for debugging only,
      and the message is the first 200 characters of the plugin's own text. The message goes away with the viewer's next
      event, or with the next answer.
      """
    ]
  ]

  @limits [
    timeout: [
      type: Type.timeout(),
      default_doc: "the plugin's timeout",
      doc: "The time for each call of the plugin, as in `Vitrine.call/4`."
    ],
    patience: [
      type: Type.timeout(0, []),
      default: 100,
      doc: """
      How long the first page waits for the first render. A render that takes longer is shown when it is there.
      """
    ],
    slow_after: [
      type: Type.timer(0, []),
      default: 250,
      doc: "How long an event or a render may take before the view is `busy`."
    ],
    fade_after: [
      type: Type.timer(1),
      default: 6_000,
      doc: "How long the message of a refused event is shown. Then it goes away by itself."
    ],
    max_event_bytes: [
      type: {:integer, 0, unit: "bytes"},
      default: 65_536,
      doc:
        "The largest value of an event, roughly the size of its text. A larger event is refused."
    ],
    max_events: [
      type: {:integer, 1, []},
      default: 16,
      doc:
        "The most events of this viewer that may wait for the plugin. The next event is refused."
    ]
  ]

  @schema Schema.new([
            {"What is shown", @shown},
            {"Viewers", @viewers},
            {"Answers", @answers},
            {"Limits", @limits}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema

  # It goes into the names of events, ids and classes, and is joined there by other characters.
  @doc "Whether a term can be a namespace."
  @spec namespace?(term()) :: boolean()
  def namespace?(text),
    do: is_binary(text) and text =~ ~r/\A(?=.{1,32}\z)[a-z][a-z0-9]*([-_][a-z0-9]+)*\z/

  @doc false
  def strings?(list), do: list_of?(list, &is_binary/1)

  @doc false
  def function?(function), do: is_function(function, 2)
end
