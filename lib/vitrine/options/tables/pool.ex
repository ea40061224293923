defmodule Vitrine.Options.Tables.Pool do
  @moduledoc false
  # The options of Vitrine.Pool.start_link/1, but for those of the plugin.

  alias Vitrine.Options.{Schema, Type}

  # A pool allocates its table of slots when it starts: 64 bytes for each.
  @max_slots 1_000_000

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
    vars: [
      type: {:checked, "a map of strings to binaries"},
      default: %{},
      doc:
        "The variables that each instance begins with, besides those that its initialisers set."
    ]
  ]

  @instances [
    size: [
      type: {:integer, 1, to: @max_slots},
      default_doc: "twice the number of schedulers",
      doc: """
      The most instances, and so the most calls at the same time. A caller that finds all of them taken waits in the queue.
      """
    ],
    overflow: [
      type: {:integer, 0, to: @max_slots},
      default: 0,
      doc:
        "The most instances beyond `:size` that are made while all others are taken. They are dropped after their call."
    ],
    partitions: [
      type: {:integer, 1, []},
      default_doc: "half of the size, but at most the number of schedulers",
      doc: """
      The number of groups that instances are in, at most `:size`. Callers on different schedulers prefer different groups.
      A caller whose group has no free instance takes one of another group, so this is about speed only.
      """
    ],
    min_idle: [
      type: {:integer, 0, []},
      default: 0,
      doc: """
      The number of instances that are made ahead, by a process of the pool, and that are kept while nobody uses them: at
      most `:size`.
      """
    ],
    idle_timeout: [
      type: Type.timer(1),
      default: 60_000,
      doc: """
      How long other instances are kept while nobody uses them. They are dropped between this time and twice this time.
      """
    ],
    max_calls: [
      type: {:integer, 1, or: [:infinity]},
      default: :infinity,
      doc: "The number of calls after which an instance is dropped."
    ],
    max_age: [
      type: Type.timer(1),
      default: :infinity,
      doc: "The age at which an instance is dropped, as soon as no call is in it."
    ],
    reset: [
      type: :boolean,
      default: false,
      doc: "Whether each call gets an instance that no other call was in."
    ]
  ]

  @queue [
    max_queue: [
      type: {:integer, 0, or: [:infinity]},
      default: 1_000,
      doc:
        "The most callers that may wait for an instance. The next caller gets the error `:pool_full` at once."
    ],
    queue_timeout: [
      type: Type.timer(0),
      default: :infinity,
      doc: """
      The time that a caller may wait for an instance, within the timeout of its call. A caller that waits longer gets the
      error `:timeout`.
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
    id: [
      type: :any,
      type_doc: "any term",
      default_doc: "the name, or `Vitrine.Pool`",
      doc:
        "The id of the child specification. Two pools without a name in one supervisor need it."
    ],
    restart: [
      type: {:in, [:permanent, :transient, :temporary]},
      default_doc: "`:permanent`",
      doc: "When the supervisor starts the pool again, as in a child specification."
    ],
    shutdown: [
      type: Type.timeout(),
      default: 5_000,
      doc: """
      How long calls may go on when the pool is stopped. Then they are cancelled. A pool that crashes does not wait for them.
      """
    ]
  ]

  @schema Schema.new([
            {"Plugin", @plugin},
            {"Instances", @instances},
            {"Queue", @queue},
            {"Process", @process}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema
end
