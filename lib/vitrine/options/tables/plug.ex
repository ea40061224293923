defmodule Vitrine.Options.Tables.Plug do
  @moduledoc false
  # The options of Vitrine.Plug.

  import Vitrine.Options.Argument, only: [list_of?: 2]

  alias Vitrine.Options.{Schema, Type}

  # An option that may stand alone in a list, and is `true` then.
  @switch {:is, &is_boolean/1, "given alone, or as true or false"}
  @strings {:is, &__MODULE__.strings?/1, "a list of strings"}
  @bytes {:integer, 0, unit: "bytes"}

  @read Schema.new([
          {nil,
           [
             query: [
               type: @switch,
               type_doc: "a switch",
               default: false,
               doc: "The query string."
             ],
             peer: [
               type: @switch,
               type_doc: "a switch",
               default: false,
               doc: "The client's address, as `conn.remote_ip` has it."
             ],
             headers: [type: @strings, default: [], doc: "Headers of the request."],
             body: [
               type: {:checked, "a number of bytes, or a keyword list"},
               default_doc: "the body is left alone",
               doc: """
               The body of the request: the most bytes of it, or a keyword list. A longer body is answered with 413. See
               [Bodies](#module-bodies).
               """
             ],
             assigns: [
               type: {:is, &__MODULE__.atoms?/1, "a list of atoms"},
               default: [],
               doc: "Assigns of the conn, which the `:format` must have a form for."
             ],
             response_headers: [type: @strings, default: [], doc: "Headers of the response."],
             response_body: [
               type: @bytes,
               default_doc: "the body is not shown",
               doc:
                 "The body of the response: the most bytes of it. For a longer one the plugin finds a field `body_skipped`."
             ]
           ]}
        ])

  @body Schema.new([
          {nil,
           [
             max_bytes: [
               type: @bytes,
               required: true,
               doc: "The longest body."
             ],
             too_large: [
               type: {:in, [:refuse, :skip]},
               default: :refuse,
               doc: """
               The treatment of a longer body. `:refuse` answers with 413; `:skip` calls the plugin without the body.
               """
             ],
             multipart: [
               type: {:in, [:refuse, :skip]},
               default: :refuse,
               doc: """
               The treatment of a body of the type `multipart/*`, which cannot be given back to the parser of such bodies.
               `:refuse` answers with 415; `:skip` calls the plugin without the body.
               """
             ],
             read_timeout: [
               type: Type.timeout(),
               default: 15_000,
               doc: "The time that one piece of the body may take, as in `Plug.Conn.read_body/2`."
             ]
           ]}
        ])

  @change Schema.new([
            {nil,
             [
               respond: [
                 type: @switch,
                 type_doc: "a switch",
                 default: false,
                 doc: "It may answer itself, or replace a response."
               ],
               path: [
                 type: @switch,
                 type_doc: "a switch",
                 default: false,
                 doc: "It may rewrite the path, below the mount."
               ],
               query: [
                 type: @switch,
                 type_doc: "a switch",
                 default: false,
                 doc: "It may rewrite the query string."
               ],
               request_headers: [
                 type: @strings,
                 default: [],
                 doc: "Headers of the request that it may set and remove."
               ],
               response_headers: [
                 type: @strings,
                 default: [],
                 doc: """
                 Headers of responses that it may set and remove, also of its own responses. Without `"content-type"` its own
                 responses are `text/plain`.
                 """
               ],
               assigns: [
                 type: @strings,
                 default: [],
                 doc: """
                 Names under which it may assign. The values are in `conn.assigns.vitrine`, a map with strings as keys.
                 """
               ]
             ]}
          ])

  @plugin [
    plugin: [
      type: {:checked, "a pool or a server, a plugin, a compiled one, or a function of a conn"},
      required: true,
      doc: """
      The plugin that is called: mostly the name of a pool. Each request gets an instance of its own of a `Vitrine.Compiled`.
      A function, such as `&MyApp.Tenants.filter/1`, gives one of these for a conn, or `nil` for none.
      """
    ],
    function: [
      type: {:is, &__MODULE__.function_name?/1, "the name of a function, or nil"},
      type_doc: "a string or `nil`",
      default: "on_request",
      doc: "The plugin's function for requests; `nil` for none."
    ],
    response_function: [
      type: {:is, &__MODULE__.function_name?/1, "the name of a function, or nil"},
      type_doc: "a string or `nil`",
      default_doc: "none",
      doc:
        "The plugin's function for responses, such as `\"on_response\"`. See [Responses](#module-responses)."
    ],
    timeout: [
      type: Type.timeout(),
      default_doc: "the plugin's timeout",
      doc:
        "The time for each of the two calls. A longer call is stopped, and `:on_error` decides."
    ],
    context: [
      type: {:is, &__MODULE__.function?/1, "a function of a conn"},
      type_doc: "a function of one argument",
      default_doc: "`nil`",
      doc: "A function that makes of the conn the context that host functions get."
    ],
    format: [
      type: {:in, [:json, :msgpack]},
      default: :json,
      doc: "The form of the document that the plugin gets, and of its answer."
    ],
    max_answer_bytes: [
      type: {:integer, 1, unit: "bytes"},
      default: 1_048_576,
      doc: "The longest answer of the plugin. A longer one is refused, and `:on_error` decides."
    ]
  ]

  @grants [
    read: [
      type: {:checked, "a list"},
      default: [],
      keys: @read,
      doc: """
      The facts that the plugin is told besides the method, the scheme, the host, the port and the path. A switch stands alone
      in the list, as in `[:query, headers: ["user-agent"]]`.
      """
    ],
    change: [
      type: {:checked, "a list"},
      default: [],
      keys: @change,
      doc:
        "The changes that the plugin may make, as in `[:respond, assigns: [\"tenant\"]]`. An answer that changes more is refused as a whole."
    ],
    assign_as: [
      type: {:is, &__MODULE__.key?/1, "an atom"},
      default: :vitrine,
      doc: "The key of `conn.assigns` that has what the plugin assigns."
    ]
  ]

  @failures [
    on_error: [
      type:
        {:checked,
         ":open, :closed, {status, body} with a status from 400 to 599, or a function of a conn and an error"},
      type_doc: "`:closed`, `:open`, `{status, body}` or a function",
      default: :closed,
      doc: """
      The answer when the plugin fails. `:closed` answers with 503, and `{status, body}` with that. `:open` lets the request
      go on as it was. A function gets the conn and the `Vitrine.Error`, and returns a conn, halted or not.
      """
    ]
  ]

  @schema Schema.new([
            {"Plugin", @plugin},
            {"Grants", @grants},
            {"Failures", @failures}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema

  @doc "Of the option `:read`."
  @spec read() :: Schema.t()
  def read, do: @read

  @doc "Of `:body` of the option `:read`."
  @spec body() :: Schema.t()
  def body, do: @body

  @doc "Of the option `:change`."
  @spec change() :: Schema.t()
  def change, do: @change

  @doc false
  def strings?(list), do: list_of?(list, &is_binary/1)

  @doc false
  def atoms?(list), do: list_of?(list, &is_atom/1)

  @doc false
  def function_name?(name), do: name == nil or is_binary(name)

  @doc false
  def function?(function), do: is_function(function, 1)

  @doc false
  def key?(key), do: is_atom(key) and key != nil
end
