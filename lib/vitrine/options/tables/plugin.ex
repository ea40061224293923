defmodule Vitrine.Options.Tables.Plugin do
  @moduledoc false
  # The options of Vitrine.new/2.

  import Vitrine.Options.Argument, only: [text?: 1]

  alias Vitrine.Options.{Docs, Schema, Type}
  alias Vitrine.Options.Tables.Inside

  # The default timeout of a call, in milliseconds.
  @timeout 5_000

  # The default timeout of all downloads together, in milliseconds.
  @download_timeout 60_000

  # The largest number that the core takes.
  @max 0xFFFF_FFFF_FFFF_FFFF

  @granting [
    host_functions: [
      type: {:checked, "a map of functions or a list of Vitrine.HostFunction structs"},
      type_doc: "a map of functions, or a list",
      default: [],
      doc: "Your functions that the plugin may call. See `Vitrine.HostFunction`."
    ],
    wasi: [
      type: {:checked, "true, false or a keyword list"},
      type_doc: "`true`, `false` or a keyword list",
      default: false,
      keys: Inside.wasi(),
      list_keys: false,
      doc: """
      Whether the plugin gets WASI preview 1, and what that grants. `true` grants clocks and random numbers and nothing
      else. See `Vitrine.Wasi`.
      """
    ],
    allowed_paths: [
      type: {:checked, "a map of directories to their paths in the guest"},
      default_doc: "the manifest's `allowed_paths`",
      doc: """
      Directories that the plugin may use, such as `%{"ro:/srv/data" => "/data"}`, merged over the manifest's. `ro:` makes a
      directory read-only. Each directory needs a path of its own in the guest. `nil` in the place of a path takes away a
      directory that the manifest asks for, and `%{}` takes away all of them. The option needs `:wasi`, and raises
      `ArgumentError` without it. To limit what is added to a directory, see `:directory_limits` of `:wasi`.
      """
    ],
    allowed_hosts: [
      type:
        {:checked,
         ~s(a list of names or patterns such as "*.example.com" or {:private, "db.internal"})},
      type_doc: "a list",
      default_doc: "the manifest's `allowed_hosts`, or no host",
      doc: """
      The hosts that the plugin may reach by HTTP, instead of the manifest's: names, or patterns such as `"*.example.com"`,
      without scheme, port and path. `{:private, "db.internal"}` is a name that may have a private address. A request to
      another host fails, with the error `:http`. See `Vitrine.HTTP`.
      """
    ],
    http: [
      type:
        {:checked,
         "a module with the behaviour Vitrine.HTTP, such a module with its options, or false"},
      type_doc: "a module, `{module, options}` or `false`",
      default_doc: "`Vitrine.HTTP.Client`",
      doc: """
      The client that sends the plugin's requests and downloads modules: a module with the behaviour `Vitrine.HTTP`.
      `false` means that there is no client, and then each request fails.
      """
    ],
    http_response_headers: [
      type: :boolean,
      default: false,
      doc: "Whether the plugin sees the headers of HTTP responses."
    ],
    config: [
      type: {:checked, "a map of strings"},
      default: %{},
      doc: "Configuration that the plugin can read, merged over the manifest's `config`."
    ],
    requires: [
      type: :options,
      default_doc: "no requirements",
      keys: Inside.requires(),
      doc: """
      The exports that the plugin must have, and the imports that it may have. A plugin that does not keep
      this contract is not loaded, and the error is `:contract`.
      """
    ],
    ceiling: [
      type: {:checked, "a keyword list"},
      default_doc: "no ceiling",
      keys: Inside.ceiling(),
      list_keys: false,
      doc: """
      The most that a manifest may ask for: for a manifest that you did not write. `ceiling: []` allows only what every
      plugin has. A manifest that asks for more is not loaded, and the error is `:manifest`. See
      [Manifests of others](Vitrine.Manifest.html#module-manifests-of-others).
      """
    ]
  ]

  @limits [
    timeout: [
      type: Type.timeout(),
      default_doc: "the manifest's `timeout_ms`, or `#{@timeout}`",
      doc: """
      The time for loading, and for each call without a timeout of its own. What takes longer is stopped, and the error is
      `:timeout`. Before that, all downloads of modules together have the same time, or
      `#{Docs.number(@download_timeout)}` milliseconds if neither this option nor `timeout_ms` is given.
      """
    ],
    memory: [
      type: {:checked, "a map or a keyword list of limits"},
      default: %{},
      default_doc: "the limits of the manifest",
      keys: Inside.memory(),
      doc:
        "Limits of memory, variables and HTTP responses, such as `[max_pages: 256]`, merged over the manifest's `memory`."
    ],
    limits: [
      type: :options,
      default: [],
      keys: Inside.limits(),
      default_doc: "the defaults of these",
      doc: "Limits of outputs and tables, such as `[output_bytes: 1_000_000]`."
    ],
    fuel: [
      type: {:integer, 0, to: @max, unit: "units of fuel"},
      default_doc: "fuel is not counted",
      doc: """
      The fuel that each call may use. An instruction of WebAssembly costs about one unit, so the same call ends at the same
      place each time. A call that uses more is stopped, and the error is `:fuel`. Counting costs some speed.
      """
    ],
    init_fuel: [
      type: {:integer, 0, to: @max, unit: "units of fuel"},
      default_doc: "as much as `:fuel`",
      doc: """
      The fuel that the start function and the initialisers of an instance may use together. If they use more, the error is
      `:fuel`. The option needs `:fuel`.
      """
    ]
  ]

  @calls [
    context: [
      type: :any,
      type_doc: "any term",
      default_doc: "`nil`",
      doc: "The context that host functions get while the plugin initialises."
    ],
    on_trap: [
      type: {:in, [:reset, :keep]},
      default: :reset,
      doc: """
      The instance that the next call finds after a call that trapped, exited or was stopped. `:reset` makes a fresh
      instance, which keeps the variables; `:keep` leaves the instance as it is.
      """
    ],
    scheduler: [
      type: {:in, [:auto, :dirty]},
      default: :auto,
      doc: """
      The schedulers that calls run on. `:auto` runs the first slice of a call on a normal scheduler, and the rest of a
      longer call on dirty schedulers. `:dirty` runs all of it on dirty schedulers.
      """
    ]
  ]

  @compiling [
    snapshot: [
      type: {:is, &__MODULE__.snapshot?/1, "true, false or the name of a function of the plugin"},
      type_doc: "`true`, `false` or a string",
      default: false,
      doc: """
      Whether the plugin is initialised once, when it is compiled, and each instance begins with the memory, the globals and
      the variables that this left. A string names a function of the plugin that is called after the initialisers. See
      `compile/2`.
      """
    ],
    cache: [
      type: :boolean,
      default: true,
      doc: """
      Whether native code is looked for on disk, and kept there. See [The cache of native code](native-code-cache.md).
      """
    ],
    fuse: [
      type: :boolean,
      default: true,
      default_doc: "`config :vitrine, :fuse`, or `true`",
      doc: """
      Whether the plugin's calls to the host that move single bytes and words become code of its own. `false` is slower and
      should make no other difference. It is for finding out whether it does. See [Fusing](fusing.md).
      """
    ],
    memory_layout: [
      type: {:in, [:fast, :dense]},
      default: :fast,
      doc: """
      How memories lie in the address space. `:dense` is for more than some thousand instances at the same time. See
      [Running many instances](many-instances.md).
      """
    ]
  ]

  @debugging [
    name: [
      type: {:is, &__MODULE__.name?/1, "a string or an atom"},
      default_doc:
        "the manifest's name for the module, the file's name, or the beginning of the module's sha256",
      doc: "The plugin's name in errors and log lines."
    ],
    log_level: [
      type: {:in, [:trace, :debug, :info, :warning, :error, :off]},
      default: :trace,
      doc:
        "The lowest level that the plugin may log and print at. Messages at a lower level are dropped. Logger's own level applies as well."
    ],
    debug_info: [
      type: {:in, [true, false, :native]},
      default: false,
      doc: """
      Whether the module's debug information is used. With `true` backtraces have files and lines. With `:native` a native
      debugger also sees the guest's variables; this is for modules of your own only, because Wasmtime then goes through all
      of the debug information, and nothing bounds that. With either the plugin runs on dirty schedulers only.
      """
    ],
    coredump: [
      type: {:is, &__MODULE__.file?/1, "the path of a file, without a NUL byte"},
      type_doc: "a path",
      default_doc: "no coredump",
      doc: """
      The file that gets a WebAssembly coredump when a call traps. None is written for a plugin whose memories have more than
      256 MiB together, or more than 64 MiB in use; the error then says so.
      """
    ],
    profiler: [
      type: {:in, [:perf, :jitdump, :vtune]},
      default_doc: "no profiler",
      doc: "The profiler that gets the names and addresses of the plugin's functions."
    ]
  ]

  @schema Schema.new([
            {"Granting", @granting},
            {"Limits", @limits},
            {"Calls", @calls},
            {"Compiling", @compiling},
            {"Debugging", @debugging}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema

  @doc "The timeout of calls for which nobody says one, in milliseconds."
  @spec timeout() :: timeout()
  def timeout, do: @timeout

  @doc "The timeout of all downloads of a plugin, for which nobody says one, in milliseconds."
  @spec download_timeout() :: timeout()
  def download_timeout, do: @download_timeout

  @doc false
  def name?(name), do: is_atom(name) or (text?(name) and name != "")

  @doc false
  def snapshot?(snapshot), do: is_boolean(snapshot) or (text?(snapshot) and snapshot != "")

  @doc false
  def file?(path), do: text?(path) and path != "" and not String.contains?(path, <<0>>)
end
