defmodule Vitrine.Pool.Version do
  @moduledoc false
  # What a pool makes its instances of: a source whose files have been read, and the options.

  alias Vitrine.{Error, Manifest, Options, Plugin, Source}

  @enforce_keys [:source, :options, :vars, :hash, :plugin]
  defstruct @enforce_keys

  @typedoc "`plugin` is without an instance: it keeps the compiled module, and answers questions."
  @type t :: %__MODULE__{
          source: term(),
          options: keyword(),
          vars: map(),
          hash: String.t() | nil,
          plugin: Plugin.t()
        }

  @doc "Compiles a version, and makes an instance of it once, to see that it can be made."
  @spec load(term(), keyword(), map()) :: {:ok, t()} | {:error, Error.t()}
  def load(source, options, vars) do
    with {:ok, source, name, hash} <- fixed(source, options),
         {:ok, plugin} <- new(source, Keyword.put_new(options, :name, name), vars),
         :ok <- Vitrine.reset(plugin) do
      options = Keyword.put(options, :name, plugin.name)
      {:ok, %__MODULE__{source: source, options: options, vars: vars, hash: hash, plugin: plugin}}
    end
  end

  @doc "Makes an instance within that time, which is not the timeout of its calls."
  @spec instantiate(t(), timeout()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def instantiate(%__MODULE__{plugin: %{timeout: timeout}} = version, within) do
    with {:ok, plugin} <-
           new(version.source, [{:timeout, within} | version.options], version.vars) do
      {:ok, %{plugin | timeout: timeout}}
    end
  end

  # All instances of a version are of the same bytes, whatever happens to the files.
  defp fixed(source, options) when not is_struct(source) or is_struct(source, Manifest) do
    with {:ok, manifest, modules, name} <- Source.load(source, options) do
      {"main", main} = List.keyfind!(modules, "main", 0)
      hash = Base.encode16(:crypto.hash(:sha256, main), case: :lower)
      wasm = for {name, bytes} <- modules, do: %{data: bytes, name: name}
      {:ok, %{manifest | wasm: wasm}, name || String.slice(hash, 0, 12), hash}
    end
  end

  defp fixed(compiled, _options), do: {:ok, compiled, nil, Map.get(compiled, :hash)}

  defp new(source, options, vars) do
    with {:ok, plugin} <- Vitrine.new(source, options) do
      case put_vars(plugin, vars) do
        :ok -> {:ok, plugin}
        error -> Vitrine.close(plugin) && error
      end
    end
  end

  # Those that the initialisers set remain.
  defp put_vars(_plugin, vars) when vars == %{}, do: :ok
  defp put_vars(plugin, vars), do: Vitrine.put_vars(plugin, Map.merge(Vitrine.vars(plugin), vars))

  @doc "Checks what `load/3` takes besides the source."
  def validate!(options, vars) do
    Options.plugin!(options, %Manifest{wasm: []})

    unless is_map(vars),
      do: raise(ArgumentError, "expected :vars to be a map, got: #{inspect(vars)}")

    Options.vars!(vars)
    :ok
  end
end
