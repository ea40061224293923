defmodule Vitrine.Manifest do
  @moduledoc """
  What a plugin is made of: its module, configuration and limits, as Extism's manifests say it.

  A manifest is given to `Vitrine.new/2` as a map, with string or atom keys, as JSON text, or as
  this struct:

      %{
        wasm: [%{path: "plugin.wasm"}],
        config: %{"greeting" => "hello"},
        memory: %{max_pages: 256},
        timeout_ms: 1_000
      }

  | key                    | value                                                    | default |
  |------------------------|----------------------------------------------------------|---------|
  | `wasm`                 | a list of one source, see below                           | required |
  | `config`               | a map of strings to strings, which the plugin can read   | `%{}`   |
  | `memory.max_pages`     | the most memory, in pages of 64 KiB                       | 16384 (1 GiB) |
  | `memory.max_var_bytes` | the most bytes of variables; 0 for no variables           | 1048576 |
  | `timeout_ms`           | the timeout of calls that have none of their own          | 5000    |

  A source is a map with either `path` or `data`, base64 or, in a map, the bytes themselves; it
  may have a `name`, and a `hash`: the sha256 that the bytes must have, in hexadecimal digits.

  `allowed_hosts` and `allowed_paths` are taken as long as they are empty.
  """

  alias Vitrine.{Error, Native}

  @typedoc "Where a module comes from."
  @type wasm :: %{
          optional(:path) => Path.t(),
          optional(:data) => binary(),
          optional(:name) => String.t(),
          optional(:hash) => String.t()
        }

  @type t :: %__MODULE__{
          wasm: [wasm()],
          config: %{optional(String.t()) => String.t()},
          memory: %{max_pages: pos_integer(), max_var_bytes: non_neg_integer()},
          timeout_ms: non_neg_integer() | nil
        }

  @default_memory %{max_pages: 16_384, max_var_bytes: 1_048_576}

  defstruct wasm: [], config: %{}, memory: @default_memory, timeout_ms: nil

  @keys ~w(wasm config memory timeout_ms)
  # Nothing grants these yet, so what they may say is nothing.
  @empty_keys ~w(allowed_hosts allowed_paths)
  @memory_keys ~w(max_pages max_var_bytes)
  @wasm_keys ~w(path data name hash)
  @max_pages 65_536
  # The longest that a process can wait in `receive`.
  @max_timeout 0xFFFF_FFFF

  @doc """
  A manifest from a map or from JSON text.

      iex> {:ok, manifest} = Vitrine.Manifest.new(%{wasm: [%{path: "p.wasm"}], timeout_ms: 100})
      iex> manifest.timeout_ms
      100

  What is wrong with one is an error that names the key, what stands there and what is allowed:

      iex> {:error, error} = Vitrine.Manifest.new(%{wasm: [%{path: "p.wasm"}], timeout_ms: "1s"})
      iex> {error.reason, error.message}
      {:manifest, ~s(the manifest's timeout_ms must be milliseconds, from 0 to 4294967295, got: "1s")}
  """
  @spec new(map() | String.t() | t()) :: {:ok, t()} | {:error, Error.t()}
  def new(%__MODULE__{} = manifest), do: manifest |> Map.from_struct() |> new()

  def new(json) when is_binary(json) do
    case Native.await(&Native.decode_json(json, &1)) do
      {:ok, map} -> new(map)
      {:error, message} -> invalid("the manifest is no valid JSON: #{message}")
    end
  end

  def new(map) when is_map(map) and not is_struct(map) do
    with {:ok, map} <- keys(map, @keys ++ @empty_keys, "the manifest"),
         :ok <- empty(map),
         {:ok, wasm} <- sources(map["wasm"]),
         {:ok, config} <- config(Map.get(map, "config", %{})),
         {:ok, memory} <- memory(Map.get(map, "memory", %{})),
         {:ok, timeout} <- timeout(map["timeout_ms"]) do
      {:ok, %__MODULE__{wasm: wasm, config: config, memory: memory, timeout_ms: timeout}}
    end
  end

  def new(other), do: invalid("a manifest must be a map or JSON text, got: #{inspect(other)}")

  # String keys, all of them known.
  defp keys(map, allowed, where) when is_map(map) do
    map = Map.new(map, fn {key, value} -> {to_key(key), value} end)

    case Map.keys(map) -- allowed do
      [] ->
        {:ok, map}

      [key | _] ->
        invalid(
          "#{where} has the unknown key #{inspect(key)}, allowed are: #{Enum.join(allowed, ", ")}"
        )
    end
  end

  defp keys(other, _allowed, where), do: invalid("#{where} must be a map, got: #{inspect(other)}")

  defp to_key(key) when is_atom(key), do: Atom.to_string(key)
  defp to_key(key), do: key

  defp empty(map) do
    case Enum.find(@empty_keys, &(Map.get(map, &1) not in [nil, [], %{}])) do
      nil ->
        :ok

      key ->
        invalid(
          "the manifest's #{key} must be empty, plugins are granted none, got: #{inspect(map[key])}"
        )
    end
  end

  defp sources([source]) do
    with {:ok, source} <- source(source), do: {:ok, [source]}
  end

  defp sources([_, _ | _] = sources) do
    invalid("the manifest's wasm must have one source, got: #{length(sources)}")
  end

  defp sources(other) do
    invalid("the manifest's wasm must be a list of one source, got: #{inspect(other)}")
  end

  defp source(source) do
    with {:ok, source} <- keys(source, @wasm_keys, "the manifest's wasm"),
         :ok <- one_origin(source),
         {:ok, source} <- decode(source),
         :ok <- text(source, "name"),
         :ok <- hash(source["hash"]) do
      {:ok,
       for({key, value} <- source, value != nil, into: %{}, do: {String.to_atom(key), value})}
    end
  end

  defp one_origin(%{"path" => path, "data" => data}) when path != nil and data != nil,
    do: invalid("the manifest's wasm must have either path or data, got both")

  defp one_origin(%{"path" => path}) when is_binary(path), do: :ok
  defp one_origin(%{"data" => data}) when is_binary(data), do: :ok

  defp one_origin(%{"data" => %{} = data}) do
    invalid(
      "the manifest's wasm data must be base64 or bytes, never an address, got: #{inspect(data)}"
    )
  end

  defp one_origin(source) do
    invalid(
      "the manifest's wasm must have path, a string, or data, base64 or bytes, got: #{inspect(source)}"
    )
  end

  defp decode(%{"data" => data} = source) when is_binary(data) do
    cond do
      Vitrine.Source.module?(data) -> {:ok, source}
      bytes = base64(data) -> {:ok, %{source | "data" => bytes}}
      true -> invalid("the manifest's wasm data is neither base64 nor a WebAssembly module")
    end
  end

  defp decode(source), do: {:ok, source}

  defp base64(data) do
    case Base.decode64(data, ignore: :whitespace) do
      {:ok, bytes} -> bytes
      :error -> nil
    end
  end

  defp text(source, key) do
    case source[key] do
      nil -> :ok
      text when is_binary(text) -> :ok
      other -> invalid("the manifest's wasm #{key} must be a string, got: #{inspect(other)}")
    end
  end

  defp hash(nil), do: :ok

  defp hash(hash) do
    if is_binary(hash) and hash =~ ~r/\A[0-9a-fA-F]{64}\z/ do
      :ok
    else
      invalid(
        "the manifest's wasm hash must be a sha256 of 64 hexadecimal digits, got: #{inspect(hash)}"
      )
    end
  end

  defp config(config) when is_map(config) and not is_struct(config) do
    config = Map.new(config, fn {key, value} -> {to_key(key), value} end)

    case Enum.find(config, fn {key, value} -> not (text?(key) and text?(value)) end) do
      nil ->
        {:ok, config}

      {key, value} ->
        invalid(
          "the manifest's config must map strings to strings, got: #{inspect(%{key => value})}"
        )
    end
  end

  defp config(other), do: invalid("the manifest's config must be a map, got: #{inspect(other)}")

  defp text?(value), do: is_binary(value) and String.valid?(value)

  defp memory(memory) do
    with {:ok, memory} <- keys(memory, @memory_keys, "the manifest's memory"),
         {:ok, pages} <- limit(memory, "max_pages", 1..@max_pages),
         {:ok, var_bytes} <- limit(memory, "max_var_bytes", 0..0xFFFF_FFFF_FFFF) do
      {:ok, %{max_pages: pages, max_var_bytes: var_bytes}}
    end
  end

  defp limit(memory, key, first..last) do
    case Map.get(memory, key) do
      nil ->
        {:ok, Map.fetch!(@default_memory, String.to_atom(key))}

      value when is_integer(value) and value >= first and value <= last ->
        {:ok, value}

      other ->
        invalid(
          "the manifest's memory.#{key} must be from #{first} to #{last}, got: #{inspect(other)}"
        )
    end
  end

  defp timeout(nil), do: {:ok, nil}
  defp timeout(ms) when is_integer(ms) and ms in 0..@max_timeout, do: {:ok, ms}

  defp timeout(other) do
    invalid(
      "the manifest's timeout_ms must be milliseconds, from 0 to #{@max_timeout}, got: " <>
        inspect(other)
    )
  end

  defp invalid(message), do: {:error, %Error{reason: :manifest, message: message}}
end
