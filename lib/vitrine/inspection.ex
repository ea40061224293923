defmodule Vitrine.Inspection do
  @moduledoc """
  A module's statements about itself: the answer of `Vitrine.inspect_plugin/2`.

  Compilers write names and producers into a module, and anything can stand there. Escape them before you show them.
  Texts in `refused` are safe to show.

  ## Fields

    * `size` - the module's size in bytes
    * `sha256` - the sha256 of the module, in lower-case hexadecimal digits
    * `component` - whether the file is a component of the component model, and not a module. Nothing more is known of a
      component
    * `name` - the name that the module has for itself, or `nil`
    * `producers` - what built the module: a map from `"language"`, `"processed-by"` and `"sdk"` to lists of
      `{name, version}`
    * `languages` - the names of the languages among the producers
    * `exports` - all exports, each with its name and type
    * `functions` - the names of the exports that `Vitrine.call/4` can call
    * `imports` - all imports, each with its namespace, name and type
    * `memories` - the types of the memories, with their limits
    * `tables` - the types of the tables, with their limits
    * `start` - the index of the start function, or `nil`
    * `abi` - the version of Extism's ABI that the module uses: 1, 0 for the one before version 1.0, or `nil` for neither
    * `wasi` - whether the module needs WASI preview 1
    * `http` - whether the module may make HTTP requests
    * `host_functions` - `{namespace, name}` of each other import: the host functions that the module needs
    * `refused` - why the module would be refused with the options that were given, one text for each reason. What only
      linking or running can tell is not among them
  """

  @typedoc "The type of an export, an import, a memory or a table."
  @type type :: function_type() | memory_type() | table_type() | global_type() | %{kind: :tag}

  @typedoc "A type of values. Types of references are strings, such as `\"funcref\"`."
  @type value_type :: :i32 | :i64 | :f32 | :f64 | :v128 | String.t()

  @type function_type :: %{
          kind: :function,
          params: [value_type()],
          results: [value_type()]
        }

  @typedoc "Limits are in pages, of 64 KiB as a rule. `max_pages` is `nil` without a maximum."
  @type memory_type :: %{
          kind: :memory,
          min_pages: non_neg_integer(),
          max_pages: non_neg_integer() | nil,
          memory64: boolean()
        }

  @typedoc "Limits are in elements. `max` is `nil` without a maximum."
  @type table_type :: %{
          kind: :table,
          element: String.t(),
          min: non_neg_integer(),
          max: non_neg_integer() | nil
        }

  @type global_type :: %{kind: :global, type: value_type(), mutable: boolean()}

  @type t :: %__MODULE__{
          size: non_neg_integer(),
          sha256: String.t(),
          component: boolean(),
          name: String.t() | nil,
          producers: %{optional(String.t()) => [{name :: String.t(), version :: String.t()}]},
          languages: [String.t()],
          exports: [%{name: String.t(), type: type()}],
          functions: [String.t()],
          imports: [%{namespace: String.t(), name: String.t(), type: type()}],
          memories: [memory_type()],
          tables: [table_type()],
          start: non_neg_integer() | nil,
          abi: 0 | 1 | nil,
          wasi: boolean(),
          http: boolean(),
          host_functions: [{namespace :: String.t(), name :: String.t()}],
          refused: [String.t()]
        }

  @enforce_keys [:size, :sha256, :component, :name, :producers, :languages, :exports, :functions] ++
                  [
                    :imports,
                    :memories,
                    :tables,
                    :start,
                    :abi,
                    :wasi,
                    :http,
                    :host_functions,
                    :refused
                  ]
  defstruct @enforce_keys
end
