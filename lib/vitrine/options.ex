defmodule Vitrine.Options do
  @moduledoc false
  # The options of plugins and calls, checked: a wrong option is a bug of the caller, and raises.

  import Vitrine.Options.Argument, only: [text?: 1]

  alias Vitrine.{HostFunction, Wasi}
  alias Vitrine.Call.Timeout
  alias Vitrine.HostFunction.Types
  alias Vitrine.HTTP.Policy
  alias Vitrine.Loader.Ceiling
  alias Vitrine.Manifest.{Check, Fault}
  alias Vitrine.Options.{Argument, Names, Schema, Type, Validation}
  alias Vitrine.Options.Tables.{Call, Inside, Plugin}
  alias Vitrine.Text.Printable

  @plugin_options Schema.names(Plugin.schema())

  # `:as` is taken out before.
  @call_options Schema.names(Call.schema()) -- [:as]

  @timeout Type.timeout()

  @page 65_536

  # Bytes of options that a normal scheduler copies in no time worth mentioning.
  @bulky 16_384

  @doc "The names of the options of `Vitrine.new/2`."
  def plugin_options, do: @plugin_options

  @doc """
  The options of `Vitrine.new/2` as a map, with their defaults; `:terms` are those that the NIF takes
  for a plugin, `:bulky?` whether they are many, `:compile` those for a module.
  """
  @spec plugin!(keyword(), Vitrine.Manifest.t()) :: map()
  def plugin!(options, manifest) do
    timeout_from = Timeout.whose(options, manifest)

    known_now = %{
      http: Vitrine.HTTP.Client,
      timeout: manifest.timeout_ms || Plugin.timeout(),
      fuse: Validation.value!(Plugin.schema(), :fuse, Application.get_env(:vitrine, :fuse, true))
    }

    options = Validation.validate!(options, Plugin.schema(), defaults: known_now)
    memory = memory!(options.memory, manifest.memory)
    paths = allowed_paths!(options.allowed_paths, manifest.allowed_paths)
    {wasi, print_levels} = Wasi.options!(options.wasi, paths)

    settings =
      Map.merge(options, %{
        host_functions: HostFunction.normalize(options.host_functions, manifest.host_functions),
        config: Map.merge(manifest.config, config!(options.config)),
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

  @doc "What modules are linked with, as the NIF takes it."
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

  @doc "The timeout of a call."
  @spec timeout!(term()) :: timeout()
  def timeout!(timeout) do
    if Type.valid?(@timeout, timeout),
      do: timeout,
      else: Validation.wrong!(Plugin.schema(), :timeout, timeout)
  end

  @doc "The options of a call, but for `:as`, which is taken out before. Without a `:timeout` it is the plugin's."
  @spec call!(keyword()) :: keyword()
  def call!([]), do: []

  def call!(options) do
    # Names says what is wrong, and is slower: calls are short.
    case Keyword.validate(options, @call_options) do
      {:ok, options} -> options
      {:error, _wrong} -> Names.validate!(options, [:as | @call_options])
    end

    with {:ok, timeout} <- Keyword.fetch(options, :timeout), do: timeout!(timeout)
    if stdin = options[:stdin], do: Keyword.put(options, :stdin, stdin!(stdin)), else: options
  end

  @doc "Options of `Vitrine.compile/2`, and those of `Vitrine.run/4` that stand beside them."
  @spec split(keyword()) :: {keyword(), keyword()}
  def split(options), do: Keyword.split(options, @plugin_options -- [:context, :timeout])

  defp stdin!(stdin), do: Argument.bytes!(stdin, "the option :stdin")

  @doc "Variables, as pairs."
  @spec vars!(term()) :: [{String.t(), binary()}]
  def vars!(vars) do
    for {key, value} <- Argument.pairs!(vars, "variables to be a map of strings to binaries") do
      unless text?(key) and is_binary(value) do
        raise ArgumentError,
              "expected variables to map strings to binaries, got: #{inspect({key, value})}"
      end

      {key, value}
    end
  end

  @doc "Changes of the configuration, as pairs."
  @spec config_changes!(term()) :: [{String.t(), String.t() | nil}]
  def config_changes!(changes) do
    what = "the configuration to be a map of strings to strings or nil"

    for {key, value} <- Argument.pairs!(changes, what) do
      unless text?(key) and (value == nil or text?(value)) do
        raise ArgumentError,
              "expected the configuration to map strings to strings or nil, got: " <>
                inspect({key, value})
      end

      {key, value}
    end
  end

  @doc "The input of a call."
  @spec input!(term()) :: binary()
  def input!(input) when is_binary(input), do: input

  def input!(input) when is_list(input) do
    IO.iodata_to_binary(input)
  rescue
    ArgumentError -> no_input!(input)
  end

  def input!(other), do: no_input!(other)

  defp no_input!(other) do
    hint =
      if Keyword.keyword?(other),
        do: ~s|: options come after the input, as in call(plugin, "run", "", timeout: 100)|,
        else: ~s|; other terms need a codec, such as as: :json|

    raise ArgumentError,
          "expected the input to be a binary or iodata, got: #{Printable.term(other)}#{hint}"
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

  defp config!(config) do
    pairs = Argument.pairs!(config, ":config to be a map of strings")
    checked!(Check.config(Map.new(pairs)))
  end

  defp memory!(limits, base) do
    limits = if Keyword.keyword?(limits), do: Map.new(limits), else: limits
    pairs = Argument.pairs!(limits, ":memory to be a map or a keyword list of limits")
    if Keyword.keyword?(pairs), do: Names.validate!(pairs, Schema.names(Inside.memory()), :memory)
    checked!(Check.memory(Map.new(pairs), base))
  end

  # Who loads a manifest can take away what it asks for: one directory, or all of them.
  defp allowed_paths!(nil, of_manifest), do: of_manifest
  defp allowed_paths!(none, _of_manifest) when none == %{}, do: %{}

  defp allowed_paths!(%{} = paths, of_manifest) when not is_struct(paths) do
    {withdrawn, paths} = Enum.split_with(paths, &match?({_host, nil}, &1))
    withdrawn = for {host, nil} <- withdrawn, is_binary(host), do: directory(host)

    of_manifest
    |> Map.reject(fn {host, _guest} -> directory(host) in withdrawn end)
    |> Map.merge(checked!(Check.allowed_paths(Map.new(paths))))
    |> each_at_its_own!()
  end

  defp allowed_paths!(other, _of_manifest), do: checked!(Check.allowed_paths(other))

  defp directory("ro:" <> host), do: Path.expand(host)
  defp directory(host), do: Path.expand(host)

  defp each_at_its_own!(paths) do
    with {one, other, guest} <- Check.same_guest_path(paths) do
      raise ArgumentError,
            "the option :allowed_paths and the manifest's grant two directories as " <>
              "#{Printable.term(guest)}: #{Printable.term(one)} and #{Printable.term(other)}; give each a path of its own"
    end

    paths
  end

  defp checked!({:ok, value}), do: value

  defp checked!({:error, {path, text}}),
    do: raise(ArgumentError, "the option #{Fault.path(path)} #{text}")
end
