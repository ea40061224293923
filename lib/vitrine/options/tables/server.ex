defmodule Vitrine.Options.Tables.Server do
  @moduledoc false
  # The options of Vitrine.Server.start_link/1, but for those of the plugin.

  alias Vitrine.Options.{Schema, Type}

  # How often watched files are looked at, in milliseconds.
  @interval 500

  @plugin [
    source: [
      type: :any,
      type_doc: "a source",
      required: true,
      doc: "The plugin, as in `Vitrine.new/2`. Give what was uploaded as `{:module, bytes}`."
    ],
    plugin_name: [
      type: {:checked, "a string or an atom"},
      default_doc: "that of `Vitrine.new/2`",
      doc: "The plugin's name in errors and log lines."
    ],
    on_trap: [
      type: {:in, [:reset, :keep, :stop]},
      default: :reset,
      doc: """
      The reaction to a call that trapped, exited or was stopped. `:reset` and `:keep` are those of `Vitrine.new/2`. With
      `:stop` the server stops, so that its supervisor decides what is next. It stops if the plugin itself fails: if the
      plugin traps, exits, uses up its memory or its fuel, or has a host function that fails. It does not stop if the
      timeout, the cancellation or the death of the caller ends a call. The exit reason is `{error, stacktrace}`, with the
      `Vitrine.Error` of the call.
      """
    ],
    restore_vars: [
      type: {:checked, "true, false or {module, argument}"},
      type_doc: "`true`, `false` or `{module, argument}`",
      default: false,
      doc: """
      Whether the plugin's variables survive the server. `true` needs a `:name` and keeps the variables in the memory of this
      node. A server of the same name finds them as the last call left them, if it starts within a minute of the end of the
      one before, unless that was closed. `{module, argument}` keeps them in a `Vitrine.Server.Store`.
      """
    ],
    watch: [
      type: {:checked, "true, false or milliseconds"},
      type_doc: "`true`, `false` or milliseconds",
      default: false,
      doc: """
      Whether the files that the plugin is made of are watched, for development. When they have changed, the plugin is
      upgraded. They are looked at as often as the number says, or every #{@interval} milliseconds for `true`.
      """
    ]
  ]

  @process [
    name: [
      type: {:checked, "any name that GenServer.start_link/3 takes"},
      type_doc: "a name",
      default_doc: "no name",
      doc:
        "The name of the process: any that `GenServer.start_link/3` takes. The plugin's name is `:plugin_name`."
    ],
    max_queue: [
      type: {:integer, 0, or: [:infinity]},
      default: 10_000,
      doc:
        "The most calls that may wait for their turn. The next call gets the error `:queue_full` at once."
    ],
    shutdown: [
      type: Type.timeout(0, [:infinity, :brutal_kill]),
      default: 5_000,
      doc: """
      How long the server may take to end. If its supervisor shuts it down, a call that runs has nearly this time to end; then
      it is cancelled.
      """
    ],
    restart: [
      type: {:in, [:permanent, :transient, :temporary]},
      default_doc: "`:permanent`",
      doc: "When the supervisor starts the server again, as in a child specification."
    ],
    id: [
      type: :any,
      type_doc: "any term",
      default_doc: "the name, or `Vitrine.Server`",
      doc:
        "The id of the child specification. Two servers without a name in one supervisor need it."
    ],
    hibernate_after: [
      type: :any,
      type_doc: "milliseconds or `:infinity`",
      default_doc: "that of `GenServer.start_link/3`",
      doc:
        "The time without messages after which the process hibernates, as in `GenServer.start_link/3`."
    ],
    spawn_opt: [
      type: :any,
      type_doc: "a list",
      default_doc: "that of `GenServer.start_link/3`",
      doc: "Options of the process, as in `GenServer.start_link/3`."
    ],
    debug: [
      type: :any,
      type_doc: "a list",
      default_doc: "that of `GenServer.start_link/3`",
      doc: "Debugging of the process, as in `GenServer.start_link/3`."
    ]
  ]

  @schema Schema.new([{"Plugin", @plugin}, {"Process", @process}])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema

  @doc "The interval of `watch: true`, in milliseconds."
  @spec interval() :: pos_integer()
  def interval, do: @interval
end
