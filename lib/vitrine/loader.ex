defmodule Vitrine.Loader do
  @moduledoc false
  # From a source to a plugin that is ready to be called: load, compile, link, initialise.

  alias Vitrine.HostFunction.Types
  alias Vitrine.{Call, Error, Native, Options, Plugin, Source}

  @page 65_536
  @max_table_elements 1_000_000

  @doc "Makes a plugin."
  @spec load(Source.t(), keyword()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def load(source, options) do
    with {:ok, manifest, modules, name} <- Source.load(source) do
      options = Options.plugin!(options, manifest)
      name = options.name || name

      with {:ok, bytes} <- only(modules, name),
           {:ok, compiled} <- native(Native.await(&Native.compile(bytes, &1)), name),
           name = name || String.slice(Native.compiled_hash(compiled), 0, 12),
           {:ok, ref} <- native(Native.plugin_new(compiled, terms(options, manifest)), name) do
        plugin = %Plugin{
          name: name,
          ref: ref,
          host_functions: List.to_tuple(options.host_functions),
          timeout: options.timeout,
          scheduler: options.scheduler,
          logs?: Native.compiled_logs(compiled)
        }

        initialise(plugin, options)
      end
    end
  end

  defp only([{"main", bytes}], _name), do: {:ok, bytes}

  defp only(modules, name) do
    names = Enum.map_join(modules, ", ", &inspect(elem(&1, 0)))
    message = "modules cannot be linked with each other yet: #{names}"
    {:error, %Error{reason: :link, message: message, plugin: name}}
  end

  defp initialise(plugin, options) do
    with {:ok, _} <- Call.initialise({plugin, nil, options.context}, options.timeout) do
      {:ok, plugin}
    end
  end

  defp terms(options, manifest) do
    %{
      host_functions: for(f <- options.host_functions, do: {f.namespace, f.name, types(f)}),
      config: Map.merge(manifest.config, options.config),
      max_memory: options.memory.max_pages * @page,
      max_table_elements: @max_table_elements,
      max_var_bytes: options.memory.max_var_bytes,
      wasi: options.wasi,
      on_trap: options.on_trap
    }
  end

  defp types(%{params: nil}), do: nil
  defp types(%{params: params, results: results}), do: {wasm(params), wasm(results)}

  defp wasm(types), do: Enum.map(types, &Types.wasm/1)

  defp native({:ok, _} = ok, _name), do: ok
  defp native({:error, details}, name), do: {:error, Error.from_native(details, plugin: name)}
end
