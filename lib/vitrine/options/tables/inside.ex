defmodule Vitrine.Options.Tables.Inside do
  @moduledoc false
  # The options inside of options of Vitrine.new/2.

  import Vitrine.Options.Argument, only: [text?: 1, list_of?: 2]

  alias Vitrine.Options.{Schema, Type}

  # The largest number that the core takes.
  @max 0xFFFF_FFFF_FFFF_FFFF

  @memory Schema.new([
            {nil,
             [
               max_pages: [
                 type: {:integer, 1, to: 65_536, unit: "pages of 64 KiB"},
                 default: 8_192,
                 default_doc: "`8192` (512 MiB)",
                 doc: """
                 The most that the memories of an instance may begin with together, and the most that they may then grow by
                 together. A plugin that asks for more is stopped, and the error is `:out_of_memory`.
                 """
               ],
               max_http_response_bytes: [
                 type: {:integer, 0, to: 0xFFFF_FFFF_FFFF, unit: "bytes"},
                 default: 52_428_800,
                 doc:
                   "The longest body of an HTTP response. A longer body fails the request, with the error `:http`."
               ],
               max_var_bytes: [
                 type: {:integer, 0, to: 0xFFFF_FFFF_FFFF, unit: "bytes"},
                 default: 1_048_576,
                 doc: """
                 The most that the plugin's variables may have together, with 48 bytes counted for each. A call that sets a
                 variable which does not fit ends with the error `:trap`, and `Vitrine.put_vars/2` returns the error `:vars`.
                 `0` allows no variables.
                 """
               ]
             ]}
          ])

  @limits Schema.new([
            {nil,
             [
               output_bytes: [
                 type: {:integer, 0, to: @max, unit: "bytes"},
                 default: 134_217_728,
                 doc: """
                 The longest output of a call. A call with a longer output ends with the error `:output_too_large`. The limit
                 also holds for the body of an HTTP request, and for the arguments of one call of a host function together: a
                 call with longer arguments ends with the error `:trap`.
                 """
               ],
               table_elements: [
                 type: {:integer, 0, to: @max, unit: "elements"},
                 default: 1_000_000,
                 doc: """
                 The most that the tables of an instance may begin with together, and the most that they may then grow by
                 together. A plugin that begins with more is not made, and the error is `:out_of_memory`. Growth by more fails
                 in the guest, which goes on.
                 """
               ]
             ]}
          ])

  @requires Schema.new([
              {nil,
               [
                 exports: [
                   type: {:is, &__MODULE__.names?/1, "a list of the names of plugin functions"},
                   default: [],
                   doc: "The plugin functions that the plugin must export."
                 ],
                 imports: [
                   type:
                     {:is, &__MODULE__.imports?/1, "a list of namespaces and {namespace, name}"},
                   type_doc: "`:any`, or a list of namespaces and `{namespace, name}`",
                   default: :any,
                   doc: """
                   The imports that the plugin may have besides the ABI and, if that is granted, WASI. `:any` allows everything.
                   """
                 ],
                 abi: [
                   type: {:is, &__MODULE__.abi?/1, "1, or 0 for the one before version 1.0"},
                   default_doc: "either version",
                   doc:
                     "The version of Extism's ABI that the plugin must use, if it uses the ABI."
                 ]
               ]}
            ])

  @directory_limit Schema.new([
                     {nil,
                      [
                        max_bytes: [
                          type: {:integer, 0, to: @max, unit: "bytes"},
                          default_doc: "no limit",
                          doc: """
                          The bytes by which files grow, as their sizes say: bytes that are written beyond the end of a file,
                          including holes. Overwriting existing bytes counts nothing. Bytes are given back when a file is
                          truncated, deleted or replaced. If a file has several names, they are given back when the last name
                          is deleted; if it is open, when it is closed.
                          """
                        ],
                        max_files: [
                          type: {:integer, 0, to: @max, unit: "files, directories and links"},
                          default_doc: "no limit",
                          doc: """
                          The files, directories and links that are made. They are given back when they are deleted.
                          """
                        ]
                      ]}
                   ])

  @wasi Schema.new([
          {nil,
           [
             args: [
               type: {:checked, "a list of strings"},
               default: [],
               doc: "The arguments of the program. By convention the first is the program's name."
             ],
             env: [
               type: {:checked, "a map of strings"},
               default: %{},
               doc: "The environment variables."
             ],
             stdin: [
               type: {:is, &is_binary/1, "a binary"},
               default: "",
               doc: """
               The bytes that each instance reads from its standard input, from the beginning. A call can have an input of
               its own, see below.
               """
             ],
             stdout: [
               type: {:checked, "`:log`, `{:log, level}`, `:capture` or `:drop`"},
               default: :log,
               doc: """
               The destination of the standard output. `:log` logs it line by line at the level `:info`, and `{:log, level}` at
               another level. `:capture` keeps up to 1 MiB of it, and what comes later is lost: `Vitrine.take_printed/1` takes
               it, or with `Vitrine.run/4` and pools the trace of the call, see `Vitrine.Trace`. `:drop` drops it.
               """
             ],
             stderr: [
               type: {:checked, "`:log`, `{:log, level}`, `:capture` or `:drop`"},
               default: :log,
               doc:
                 "The destination of the standard error, as for `:stdout`. `:log` logs at the level `:warning`."
             ],
             directory_limits: [
               type: {:checked, "a map of paths in the guest to limits"},
               default: %{},
               doc: """
               How much the plugin may add to a directory, by the path that the guest has for it, such as
               `%{"/data" => [max_bytes: 10_000_000, max_files: 1_000]}`. What does not fit is not done, and the guest gets
               the error `EDQUOT`. See [Directories](#module-directories).
               """
             ]
           ]}
        ])

  @ceiling Schema.new([
             {nil,
              [
                allowed_hosts: [
                  type: {:checked, "a list of hosts and patterns"},
                  default: [],
                  doc:
                    "The hosts and patterns that a manifest may list, and patterns that allow no more."
                ],
                allowed_paths: [
                  type:
                    {:is, &__MODULE__.directories?/1,
                     ~s(a list of directories such as "ro:/srv/data")},
                  default: [],
                  doc:
                    "The directories that a manifest may ask for, `ro:` ones only to read. Those below them are not allowed."
                ],
                memory: [
                  type: {:checked, "a map or a keyword list of limits"},
                  default: [],
                  default_doc: "the defaults of `:memory`",
                  doc: "The highest limits that a manifest may have, as in the option `:memory`."
                ],
                timeout: [
                  type: Type.timeout(),
                  default: 5_000,
                  doc: "The longest `timeout_ms` that a manifest may have."
                ],
                sources: [
                  type: {:checked, "a list of :data, :path, :url and {:url, hosts}"},
                  default: [],
                  doc: """
                  The places that modules may come from, besides the manifest itself: `:path` is files, `:url` is any host of
                  the public internet, `{:url, hosts}` is some hosts.
                  """
                ]
              ]}
           ])

  @doc "Of the option `:memory`."
  @spec memory() :: Schema.t()
  def memory, do: @memory

  @doc "Of the option `:limits`."
  @spec limits() :: Schema.t()
  def limits, do: @limits

  @doc "Of the option `:requires`."
  @spec requires() :: Schema.t()
  def requires, do: @requires

  @doc "Of the option `:wasi`."
  @spec wasi() :: Schema.t()
  def wasi, do: @wasi

  @doc "Of a directory in `:directory_limits` of the option `:wasi`."
  @spec directory_limit() :: Schema.t()
  def directory_limit, do: @directory_limit

  @doc "Of the option `:ceiling`."
  @spec ceiling() :: Schema.t()
  def ceiling, do: @ceiling

  @doc false
  def names?(names), do: list_of?(names, &is_binary/1)

  @doc false
  def imports?(imports), do: imports == :any or list_of?(imports, &import?/1)

  defp import?({namespace, name}), do: is_binary(namespace) and is_binary(name)
  defp import?(namespace), do: is_binary(namespace)

  @doc false
  def abi?(abi), do: abi in [0, 1]

  @doc false
  def directories?(paths), do: list_of?(paths, &(text?(&1) and &1 not in ["", "ro:"]))
end
