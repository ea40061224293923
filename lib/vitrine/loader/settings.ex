defmodule Vitrine.Loader.Settings do
  @moduledoc false
  # The settings of a plugin: its options, checked, over what its manifest says, and in the forms that the NIF takes.

  alias Vitrine.{HostFunction, Wasi}
  alias Vitrine.Call.Timeout
  alias Vitrine.HostFunction.Types
  alias Vitrine.HTTP.Policy
  alias Vitrine.Loader.{Ceiling, OverManifest}
  alias Vitrine.Options.Tables.Plugin
  alias Vitrine.Options.Validation

  @page 65_536

  # Bytes of options that a normal scheduler copies in no time worth mentioning.
  @bulky 16_384

  @doc """
  The options of `Vitrine.new/2` as a map, with their defaults. `:terms` are those that the NIF takes for a plugin, `:bulky?`
  says whether they are many, and `:compile` are those for a module.
  """
  @spec check!(keyword(), Vitrine.Manifest.t()) :: map()
  def check!(options, manifest) do
    timeout_from = Timeout.whose(options, manifest)

    known_now = %{
      http: Vitrine.HTTP.Client,
      timeout: manifest.timeout_ms || Plugin.timeout(),
      fuse: Validation.value!(Plugin.schema(), :fuse, Application.get_env(:vitrine, :fuse, true))
    }

    options = Validation.validate!(options, Plugin.schema(), defaults: known_now)
    memory = OverManifest.memory!(options.memory, manifest.memory)
    paths = OverManifest.allowed_paths!(options.allowed_paths, manifest.allowed_paths)
    {wasi, print_levels} = Wasi.options!(options.wasi, paths)

    settings =
      Map.merge(options, %{
        host_functions: HostFunction.normalize(options.host_functions, manifest.host_functions),
        config: OverManifest.config!(options.config, manifest.config),
        memory: memory,
        name: name!(options.name),
        allowed_paths: paths,
        ceiling: Ceiling.options!(options.ceiling),
        http: http(options, manifest, memory),
        wasi: wasi,
        print_levels: print_levels,
        timeout_from: timeout_from,
        fuel: fuel!(options.fuel, options.init_fuel),
        coredump: options.coredump && Path.expand(options.coredump),
        compile: %{
          fuel: options.fuel != nil,
          debug: options.debug_info,
          coredump: options.coredump != nil,
          profiler: options.profiler,
          dense: options.memory_layout == :dense,
          fuse: options.fuse
        }
      })

    terms = plugin_terms(settings)
    Map.merge(settings, %{terms: terms, bulky?: :erlang.external_size(terms) > @bulky})
  end

  defp plugin_terms(settings) do
    %{
      config: settings.config,
      limits: %{
        memory: settings.memory.max_pages * @page,
        table_elements: settings.limits.table_elements,
        output: settings.limits.output_bytes,
        vars: settings.memory.max_var_bytes
      },
      wasi: settings.wasi,
      fuel: settings.fuel,
      coredump: settings.coredump,
      http_response_headers: settings.http_response_headers,
      on_trap: settings.on_trap
    }
  end

  @doc "Returns what modules are linked with, as the NIF takes it."
  def link_terms(settings) do
    functions = for f <- settings.host_functions, do: {f.namespace, f.name, types(f)}
    called = if is_binary(settings.snapshot), do: settings.snapshot

    %{
      host_functions: functions,
      wasi: settings.wasi != nil,
      snapshot: settings.snapshot != false,
      called: called
    }
  end

  @doc "The parameters and results of a host function's import, if they are declared."
  def types(%HostFunction{params: nil}), do: nil

  def types(%HostFunction{params: params, results: results}),
    do: {Enum.map(params, &Types.wasm/1), Enum.map(results, &Types.wasm/1)}

  defp fuel!(nil, nil), do: nil

  defp fuel!(nil, _init) do
    raise ArgumentError, "expected :init_fuel together with :fuel, the limit of each call"
  end

  defp fuel!(call, init), do: {call, init || call}

  defp http(options, manifest, memory) do
    %Policy{
      client: Policy.client!(options.http),
      hosts: Policy.hosts!(options.allowed_hosts, manifest.allowed_hosts),
      max_response_bytes: memory.max_http_response_bytes,
      response_headers?: options.http_response_headers
    }
  end

  @doc "The option `:name`, as errors show it."
  @spec name!(term()) :: String.t() | nil
  def name!(name) do
    case Validation.value!(Plugin.schema(), :name, name) do
      nil -> nil
      name when is_atom(name) -> name |> inspect() |> String.trim_leading(":")
      name -> name
    end
  end
end
