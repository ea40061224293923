defmodule Vitrine.Loader do
  @moduledoc false
  # From a source to a plugin that is ready to be called: load, compile, link, initialise.

  alias Vitrine.{Call, Error, Native, Options, Plugin, Source}

  @page 65_536
  @max_table_elements 1_000_000

  @doc "Makes a plugin."
  @spec load(Source.t(), keyword()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def load(source, options) do
    with {:ok, manifest, bytes} <- Source.load(source) do
      options = Options.plugin!(options, manifest)
      name = options.name || hd(manifest.wasm)[:name]

      with {:ok, compiled} <- native(Native.await(&Native.compile(bytes, &1)), name),
           name = name || String.slice(Native.compiled_hash(compiled), 0, 12),
           {:ok, ref} <- native(Native.plugin_new(compiled, terms(options, manifest)), name) do
        plugin = %Plugin{
          name: name,
          ref: ref,
          host_functions: List.to_tuple(options.host_functions),
          timeout: options.timeout,
          scheduler: options.scheduler,
          http: options.http,
          logs?: Native.compiled_logs(compiled)
        }

        initialise(plugin, options)
      end
    end
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
      max_memory: manifest.memory.max_pages * @page,
      max_table_elements: @max_table_elements,
      max_var_bytes: manifest.memory.max_var_bytes,
      wasi: options.wasi,
      http_response_headers: options.http_response_headers,
      on_trap: options.on_trap
    }
  end

  defp types(%{params: nil}), do: nil
  defp types(%{params: params, results: results}), do: {params, results}

  defp native({:ok, _} = ok, _name), do: ok
  defp native({:error, details}, name), do: {:error, Error.from_native(details, plugin: name)}
end
