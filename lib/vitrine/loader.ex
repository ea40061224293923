defmodule Vitrine.Loader do
  @moduledoc false
  # From a source to a plugin that is ready to be called: load, compile, link, initialise.

  alias Vitrine.HostFunction.Types
  alias Vitrine.{Call, Error, Native, Options, Plugin, Source, Telemetry}

  @page 65_536

  @doc "Makes a plugin."
  @spec load(Source.t(), keyword()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def load(source, options) do
    with {:ok, manifest, modules, name} <- Source.load(source, options) do
      options = Options.plugin!(options, manifest)
      main = Enum.find_index(modules, &match?({"main", _}, &1))
      name = options.name || name

      with {:ok, compiled} <- compile(modules, main, options, name),
           {_, main_module} = Enum.at(compiled, main),
           hash = Native.compiled_hash(main_module),
           name = name || String.slice(hash, 0, 12),
           {:ok, ref} <- native(Native.plugin_new(compiled, main, terms(options)), name) do
        plugin = %Plugin{
          name: name,
          hash: hash,
          ref: ref,
          host_functions: List.to_tuple(options.host_functions),
          timeout: options.timeout,
          scheduler: options.scheduler,
          http: options.http,
          logs?: Enum.any?(compiled, fn {_, module} -> Native.compiled_logs(module) end),
          log_level: options.log_level,
          print_levels: options.print_levels
        }

        initialise(plugin, options)
      end
    end
  end

  # One after the other: a worker of the core compiles each with all processors.
  defp compile(modules, main, options, plugin) do
    modules
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {{name, bytes}, index}, {:ok, compiled} ->
      options = Map.put(options.compile, :library, index != main)

      case compile_module(name, bytes, options, plugin) do
        {:ok, module} -> {:cont, {:ok, [{name, module} | compiled]}}
        error -> {:halt, native(in_module(error, name, modules), plugin)}
      end
    end)
    |> then(&with {:ok, compiled} <- &1, do: {:ok, Enum.reverse(compiled)})
  end

  defp compile_module(name, bytes, options, plugin) do
    describe = &Map.merge(%{plugin: plugin, module: name}, Telemetry.outcome(native(&1, plugin)))

    Telemetry.measure([:vitrine, :compile, :stop], %{bytes: byte_size(bytes)}, describe, fn ->
      Native.await(&Native.compile(bytes, options, &1))
    end)
  end

  defp in_module(error, _name, [_only]), do: error

  defp in_module({:error, details}, name, _modules) do
    {:error, put_elem(details, 1, "module #{inspect(name)}: #{elem(details, 1)}")}
  end

  defp initialise(plugin, options) do
    with {:ok, _} <- Call.initialise({plugin, nil, options.context}, options.timeout) do
      {:ok, plugin}
    end
  end

  defp terms(options) do
    %{
      host_functions: for(f <- options.host_functions, do: {f.namespace, f.name, types(f)}),
      config: options.config,
      limits: %{
        memory: options.memory.max_pages * @page,
        table_elements: options.limits.table_elements,
        output: options.limits.output_bytes,
        vars: options.memory.max_var_bytes
      },
      wasi: options.wasi,
      fuel: options.fuel,
      coredump: options.coredump,
      http_response_headers: options.http_response_headers,
      on_trap: options.on_trap
    }
  end

  defp types(%{params: nil}), do: nil
  defp types(%{params: params, results: results}), do: {wasm(params), wasm(results)}

  defp wasm(types), do: Enum.map(types, &Types.wasm/1)

  defp native({:ok, _} = ok, _name), do: ok
  defp native({:error, details}, name), do: {:error, Error.from_native(details, plugin: name)}
end
