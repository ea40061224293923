defmodule Vitrine.Manifest do
  alias Vitrine.Options.{Docs, Names}
  alias Vitrine.Options.Tables.Inside

  @moduledoc """
  The parts of a plugin, as in Extism's manifests: its modules, configuration and limits.

  `Vitrine.new/2` takes a manifest as a map with string or atom keys, as JSON or TOML text, as a file that contains
  such text, or as this struct:

      %{
        wasm: [%{path: "plugin.wasm"}],
        config: %{"greeting" => "hello"},
        memory: %{max_pages: 256},
        timeout_ms: 1_000
      }

  The same in TOML:

      timeout_ms = 1000

      [[wasm]]
      path = "plugin.wasm"

      [config]
      greeting = "hello"

      [memory]
      max_pages = 256

  A manifest can also be made step by step:

      iex> alias Vitrine.Manifest
      iex> manifest =
      ...>   Manifest.from_path("plugin.wasm")
      ...>   |> Manifest.put_config("greeting", "hello")
      ...>   |> Manifest.put_memory(max_pages: 256)
      ...>   |> Manifest.put_timeout(1_000)
      iex> {manifest.wasm, manifest.timeout_ms}
      {[%{path: "plugin.wasm"}], 1000}

  ## Keys

  | key                             | value                                                         | default          |
  |---------------------------------|---------------------------------------------------------------|------------------|
  | `wasm`                          | a list of sources, see below                                  | required         |
  | `config`                        | a map of strings to strings, which the plugin can read        | `%{}`            |
  | `memory.max_pages`              | the most memory, in pages of 64 KiB: from 1 to 65536          | 8192 (512 MiB)   |
  | `memory.max_http_response_bytes`| the longest answer to an HTTP request of the plugin           | 52428800 (50 MiB)|
  | `memory.max_var_bytes`          | the most bytes of variables; 0 for no variables               | 1048576 (1 MiB)  |
  | `allowed_hosts`                 | a list of the hosts that HTTP requests may go to, with `*`, see below | none     |
  | `allowed_paths`                 | a map of directories of the host to their names in the guest  | none             |
  | `timeout_ms`                    | the timeout of calls that set none themselves, see below      | 5000             |

  `timeout_ms` is also the limit for all downloads of modules together. Without it, they may take 60000 ms.

  A directory of the host that begins with `ro:` can only be read: `%{"ro:/srv/data" => "/data"}`. Relative paths are
  relative to the working directory. Paths that begin with `~/` are relative to the home directory.

  A host that is a name is reached only at an address of the public internet. A name that may have a private address
  is listed as `{:private, "db.internal"}`, in text as `"private:db.internal"`. Addresses are listed as they are, see
  the guide [HTTP](http.md#private-addresses).

  A source is a map with one of `path`, `data` and `url`:

  | key       | value                                                                               | default |
  |-----------|-------------------------------------------------------------------------------------|---------|
  | `path`    | a file                                                                              |         |
  | `data`    | the module as base64; in a map also as bytes or as WebAssembly text                 |         |
  | `url`     | the address to download it from, with http or https                                 |         |
  | `method`  | of the download: `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`       | `GET`   |
  | `headers` | of the download, a map of strings to strings                                        | `%{}`   |
  | `name`    | the name by which other modules import it, see below                                | `main`  |
  | `hash`    | the sha256 that the bytes must have as they are supplied, in hexadecimal digits     |         |

  `nil`, or `null` in JSON, means that the value is absent, except in `config`, `memory` and `wasm`. An unknown key is
  always an error.

  ## Manifests of others

  The author of a manifest decides which files and URLs its modules come from, and which directories and hosts the
  plugin may reach. If you did not write a manifest, load it with the option `:ceiling` of `Vitrine.new/2`, which
  limits what it may ask for:

      Vitrine.new(manifest,
        ceiling: [
          allowed_hosts: ["*.example.com"],
          allowed_paths: ["/srv/tenants/acme", "ro:/srv/shared"],
          memory: [max_pages: 256],
          timeout: 1_000,
          sources: [url: ["plugins.example.com"]]
        ]
      )

  #{Docs.markdown(Inside.ceiling())}
  `ceiling: []` therefore allows only what every plugin has.

    * If the manifest asks for more, it is an error with the reason `:manifest`, whose message shows both
    * If the manifest leaves a value out, the default applies, or the ceiling if that is lower
    * An address, or a host that may have a private address, must itself be listed
    * Redirects of a download stay within the hosts of `{:url, hosts}`. `:url` allows any host of the public internet

  Pass the manifest itself, as text or as a map, and not the path of a file. Text from somebody else may itself be a
  path. With a ceiling a path is an error, unless `sources` has `:path`.

  The other options of `Vitrine.new/2` are yours, and the ceiling does not limit them. They take precedence even
  without a ceiling: `:allowed_hosts` replaces the manifest's list, and `allowed_paths: %{}` removes all of its
  directories.

  If the source must be a single module, such as an upload, do not accept a manifest: pass `{:module, bytes}`, see
  `Vitrine.new/2`.

  ## Several modules

  Modules can import from each other, by name. The main module is the one that is called. It is the module named
  `main` or without a name, or otherwise the last one. A single module is always the main module, whatever its name
  is.
  """

  alias Vitrine.Error
  alias Vitrine.Manifest.{Check, Fault, Text, Wasm}
  alias Vitrine.Manifest.Content
  alias Vitrine.Text.Printable

  @typedoc "The source of a module."
  @type source ::
          %{required(:path) => Path.t(), optional(:name | :hash) => String.t()}
          | %{required(:data) => binary(), optional(:name | :hash) => String.t()}
          | %{
              required(:url) => String.t(),
              required(:method) => String.t(),
              required(:headers) => %{String.t() => String.t()},
              optional(:name | :hash) => String.t()
            }

  @typedoc """
  A checked manifest. Its keys are described above. `timeout_ms` is `nil` for the default. The field `host_functions`
  exists only in the struct. It has the host functions that the modules bring along, such as those of
  `Vitrine.Test.stub/2`, in addition to the option of that name.
  """
  @type t :: %__MODULE__{
          wasm: [source()],
          config: %{String.t() => String.t()},
          memory: %{
            max_pages: pos_integer(),
            max_http_response_bytes: non_neg_integer(),
            max_var_bytes: non_neg_integer()
          },
          allowed_hosts: [String.t()],
          allowed_paths: %{(host_path :: String.t()) => guest_path :: String.t()},
          timeout_ms: non_neg_integer() | nil,
          host_functions: [Vitrine.HostFunction.t()]
        }

  defstruct wasm: [],
            config: %{},
            memory: Check.default_memory(),
            allowed_hosts: [],
            allowed_paths: %{},
            timeout_ms: nil,
            host_functions: []

  @doc """
  Makes a manifest from a map, from JSON or TOML text, or from a module's bytes.

      iex> {:ok, manifest} = Vitrine.Manifest.new(%{wasm: [%{path: "p.wasm"}], timeout_ms: 100})
      iex> manifest.timeout_ms
      100
      iex> {:ok, manifest} = Vitrine.Manifest.new(~s(wasm = [{path = "p.wasm", name = "p"}]))
      iex> manifest.wasm
      [%{path: "p.wasm", name: "p"}]

  A malformed manifest is an error with the reason `:manifest`. Its message names the key, its value, and what is
  allowed:

      iex> {:error, error} = Vitrine.Manifest.new(%{wasm: [%{path: "p.wasm"}], timeout_ms: "1s"})
      iex> {error.reason, error.message}
      {:manifest, ~s(the manifest's timeout_ms must be milliseconds, from 0 to 4294967295, got: "1s")}
  """
  @spec new(map() | String.t() | t()) :: {:ok, t()} | {:error, Error.t()}
  def new(%__MODULE__{host_functions: functions} = manifest) do
    with {:ok, manifest} <- manifest |> Map.from_struct() |> Map.delete(:host_functions) |> new(),
         do: {:ok, %{manifest | host_functions: functions}}
  end

  def new(map) when is_map(map) and not is_struct(map) do
    case Check.fields(map) do
      {:ok, fields} -> {:ok, struct!(__MODULE__, fields)}
      {:error, fault} -> invalid(Fault.message(fault))
    end
  end

  def new(text) when is_binary(text) do
    case Text.kind(text) do
      :module -> {:ok, %__MODULE__{wasm: [%{data: text}]}}
      :unknown -> invalid("the manifest #{not_a_manifest(text)}; a manifest is JSON or TOML")
      format -> decoded(Text.decode(format, text), format)
    end
  end

  def new(other), do: invalid("a manifest must be a map or a text, got: #{Printable.term(other)}")

  defp decoded({:ok, map}, _format) when is_map(map), do: new(map)

  defp decoded({:ok, other}, _format),
    do: invalid("the manifest must be a map, got: #{Printable.term(other)}")

  defp decoded({:error, message}, format),
    do: invalid("the manifest is not valid #{Text.name(format)}: #{message}")

  defp not_a_manifest(text), do: text |> Content.find() |> elem(0)

  defp invalid(message), do: {:error, %Error{reason: :manifest, message: message}}

  @doc """
  Like `new/1`, but returns the manifest itself, and raises a `Vitrine.Error` on failure.

      iex> Vitrine.Manifest.new!(%{wasm: [%{path: "p.wasm"}]}).wasm
      [%{path: "p.wasm"}]
  """
  @spec new!(map() | String.t() | t()) :: t()
  def new!(manifest) do
    case new(manifest) do
      {:ok, manifest} -> manifest
      {:error, error} -> raise error
    end
  end

  @doc """
  Makes a manifest of one module in a file. Options are `:name` and `:hash`.

  This function and those below raise `ArgumentError` for values that `new/1` would refuse.

      iex> Vitrine.Manifest.from_path("p.wasm", name: "p").wasm
      [%{path: "p.wasm", name: "p"}]
  """
  @spec from_path(Path.t(), keyword()) :: t()
  def from_path(path, options \\ []), do: add_path(%__MODULE__{}, path, options)

  @doc """
  Makes a manifest of one module that is given as bytes, text or base64. Options are `:name` and `:hash`.

      iex> Vitrine.Manifest.from_data("(module)").wasm
      [%{data: "(module)"}]
  """
  @spec from_data(binary(), keyword()) :: t()
  def from_data(data, options \\ []), do: add_data(%__MODULE__{}, data, options)

  @doc """
  Makes a manifest of one module that is downloaded. Options are `:method`, `:headers`, `:name` and `:hash`. With
  `:hash` you need not trust the server or the network.

      iex> Vitrine.Manifest.from_url("https://example.com/p.wasm").wasm
      [%{url: "https://example.com/p.wasm", method: "GET", headers: %{}}]
  """
  @spec from_url(String.t(), keyword()) :: t()
  def from_url(url, options \\ []), do: add_url(%__MODULE__{}, url, options)

  @doc """
  Adds a module in a file. Options are those of `from_path/2`.

      iex> manifest = Vitrine.Manifest.from_path("app.wasm")
      iex> Vitrine.Manifest.add_path(manifest, "library.wasm", name: "library").wasm
      [%{path: "app.wasm"}, %{path: "library.wasm", name: "library"}]
  """
  @spec add_path(t(), Path.t(), keyword()) :: t()
  def add_path(%__MODULE__{} = manifest, path, options \\ []),
    do: add(manifest, :path, path, options, [:name, :hash])

  @doc "Adds a module that is given as bytes, text or base64. Options are those of `from_data/2`."
  @spec add_data(t(), binary(), keyword()) :: t()
  def add_data(%__MODULE__{} = manifest, data, options \\ []),
    do: add(manifest, :data, data, options, [:name, :hash])

  @doc "Adds a module that is downloaded. Options are those of `from_url/2`."
  @spec add_url(t(), String.t(), keyword()) :: t()
  def add_url(%__MODULE__{} = manifest, url, options \\ []),
    do: add(manifest, :url, url, options, [:method, :headers, :name, :hash])

  defp add(manifest, origin, value, options, allowed) do
    options = Names.validate!(options, allowed)
    source = options |> Map.new() |> Map.put(origin, value)
    %{manifest | wasm: value!(Wasm.sources(manifest.wasm ++ [source]))}
  end

  @doc """
  Sets a value of the configuration.

      iex> manifest = Vitrine.Manifest.from_path("p.wasm")
      iex> Vitrine.Manifest.put_config(manifest, "greeting", "hello").config
      %{"greeting" => "hello"}
  """
  @spec put_config(t(), String.t(), String.t()) :: t()
  def put_config(%__MODULE__{} = manifest, key, value),
    do: %{manifest | config: Map.merge(manifest.config, value!(Check.config(%{key => value})))}

  @doc """
  Sets limits: `:max_pages`, `:max_http_response_bytes` and `:max_var_bytes`.

      iex> manifest = Vitrine.Manifest.from_path("p.wasm")
      iex> Vitrine.Manifest.put_memory(manifest, max_pages: 16, max_var_bytes: 0).memory.max_pages
      16
  """
  @spec put_memory(t(), keyword() | map()) :: t()
  def put_memory(%__MODULE__{} = manifest, limits),
    do: %{manifest | memory: value!(Check.memory(to_map_if_keyword(limits), manifest.memory))}

  defp to_map_if_keyword(limits),
    do: if(Keyword.keyword?(limits), do: Map.new(limits), else: limits)

  @doc """
  Allows HTTP requests to a host, or to all hosts that match a pattern with `*`.

      iex> manifest = Vitrine.Manifest.from_path("p.wasm")
      iex> Vitrine.Manifest.allow_host(manifest, "*.example.com").allowed_hosts
      ["*.example.com"]
      iex> Vitrine.Manifest.allow_host(manifest, {:private, "db.internal"}).allowed_hosts
      ["private:db.internal"]
  """
  @spec allow_host(t(), String.t() | {:private, String.t()}) :: t()
  def allow_host(%__MODULE__{} = manifest, host),
    do: %{manifest | allowed_hosts: manifest.allowed_hosts ++ value!(Check.allowed_hosts([host]))}

  @doc """
  Grants the plugin a directory of the host, under the name that the guest uses. With `read_only: true` it can only be
  read.

      iex> manifest = Vitrine.Manifest.from_path("p.wasm")
      iex> Vitrine.Manifest.allow_path(manifest, "/srv/data", "/data", read_only: true).allowed_paths
      %{"ro:/srv/data" => "/data"}
  """
  @spec allow_path(t(), Path.t(), Path.t(), keyword()) :: t()
  def allow_path(%__MODULE__{} = manifest, host_path, guest_path, options \\ []) do
    options = Names.validate!(options, read_only: false)

    paths =
      case options[:read_only] do
        true when is_binary(host_path) ->
          %{("ro:" <> host_path) => guest_path}

        boolean when is_boolean(boolean) ->
          %{host_path => guest_path}

        other ->
          raise ArgumentError, "expected :read_only to be a boolean, got: #{inspect(other)}"
      end

    %{
      manifest
      | allowed_paths: Map.merge(manifest.allowed_paths, value!(Check.allowed_paths(paths)))
    }
  end

  @doc """
  Sets the timeout of calls that set none themselves, in milliseconds, or `nil` for the default.

      iex> manifest = Vitrine.Manifest.from_path("p.wasm")
      iex> Vitrine.Manifest.put_timeout(manifest, 100).timeout_ms
      100
  """
  @spec put_timeout(t(), non_neg_integer() | nil) :: t()
  def put_timeout(%__MODULE__{} = manifest, timeout),
    do: %{manifest | timeout_ms: value!(Check.timeout(timeout))}

  defp value!({:ok, value}), do: value
  defp value!({:error, fault}), do: raise(ArgumentError, Fault.message(fault))

  @doc """
  Returns the manifest as a map that can be written as JSON or TOML and read again. The map has string keys, and data
  as base64. It does not contain absent values or `host_functions`.

      iex> manifest = Vitrine.Manifest.from_data("(module)", name: "empty")
      iex> map = Vitrine.Manifest.to_map(manifest)
      iex> map["wasm"]
      [%{"data" => "KG1vZHVsZSk=", "name" => "empty"}]
      iex> Vitrine.Manifest.new(map) == {:ok, manifest}
      true
  """
  @spec to_map(t()) :: %{String.t() => term()}
  def to_map(%__MODULE__{} = manifest) do
    map = %{
      "wasm" => Enum.map(manifest.wasm, &source_to_map/1),
      "config" => manifest.config,
      "memory" => string_keys(manifest.memory),
      "allowed_hosts" => manifest.allowed_hosts,
      "allowed_paths" => manifest.allowed_paths
    }

    case manifest.timeout_ms do
      nil -> map
      milliseconds -> Map.put(map, "timeout_ms", milliseconds)
    end
  end

  defp source_to_map(%{data: data} = source),
    do: string_keys(%{source | data: Base.encode64(data)})

  defp source_to_map(source), do: string_keys(source)

  defp string_keys(map), do: Map.new(map, fn {key, value} -> {Atom.to_string(key), value} end)
end
