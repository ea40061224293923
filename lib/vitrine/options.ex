defmodule Vitrine.Options do
  @moduledoc false
  # The options of plugins and calls, checked: a wrong option is a bug of the caller, and raises.

  import Vitrine.Options.Argument, only: [text?: 1]

  alias Vitrine.{HostFunction, Keys, Wasi}
  alias Vitrine.Call.{Deadline, Log}
  alias Vitrine.Loader.{Ceiling, Contract, Snapshot}
  alias Vitrine.Options.Argument
  alias Vitrine.Text.Nearest

  alias Vitrine.HostFunction.Types
  alias Vitrine.HTTP.Policy
  alias Vitrine.Manifest.{Check, Fault}

  # What a call may take if nobody says otherwise, in milliseconds.
  @default_timeout 5_000

  # The longest that a process can wait in `receive`.
  @max_timeout 0xFFFF_FFFF

  @plugin_options [
    :name,
    :host_functions,
    :wasi,
    :scheduler,
    :timeout,
    :on_trap,
    :config,
    :memory,
    :allowed_paths,
    :context,
    :log_level,
    :limits,
    :fuel,
    :init_fuel,
    :coredump,
    :debug_info,
    :profiler,
    :memory_layout,
    :fuse,
    :http,
    :allowed_hosts,
    :http_response_headers,
    :cache,
    :requires,
    :snapshot,
    :ceiling
  ]

  # Bytes of a call's output, and elements of all of an instance's tables.
  @limits [output_bytes: 0x800_0000, table_elements: 1_000_000]

  @page 65_536

  # Bytes of options that a normal scheduler copies in no time worth mentioning.
  @bulky 16_384

  # The largest number that the core takes.
  @max 0xFFFF_FFFF_FFFF_FFFF

  @doc "The names of the options of `Vitrine.new/2`."
  def plugin_options, do: @plugin_options

  @doc """
  The options of `Vitrine.new/2` as a map, with their defaults; `:terms` are those that the NIF takes
  for a plugin, `:bulky?` whether they are many, `:compile` those for a module.
  """
  @spec plugin!(keyword(), Vitrine.Manifest.t()) :: map()
  def plugin!(options, manifest) do
    timeout_from = Deadline.whose(options, manifest)

    options =
      options
      |> Keys.validate!(
        name: nil,
        context: nil,
        host_functions: [],
        wasi: false,
        scheduler: :auto,
        timeout: manifest.timeout_ms || @default_timeout,
        on_trap: :reset,
        config: %{},
        log_level: :trace,
        limits: [],
        fuel: nil,
        init_fuel: nil,
        coredump: nil,
        debug_info: false,
        profiler: nil,
        memory_layout: :fast,
        fuse: Application.get_env(:vitrine, :fuse, true),
        memory: %{},
        allowed_paths: nil,
        http: Vitrine.HTTP.Client,
        allowed_hosts: nil,
        http_response_headers: false,
        cache: true,
        requires: nil,
        snapshot: false,
        ceiling: nil
      )
      |> Map.new()

    one_of!(options, :scheduler, [:auto, :dirty])
    one_of!(options, :on_trap, [:reset, :keep])
    one_of!(options, :log_level, Log.levels())
    one_of!(options, :debug_info, [true, false, :native])
    one_of!(options, :cache, [true, false])
    one_of!(options, :fuse, [true, false])
    one_of!(options, :profiler, [nil, :perf, :jitdump, :vtune])
    one_of!(options, :memory_layout, [:fast, :dense])
    one_of!(options, :http_response_headers, [true, false])
    timeout!(options.timeout)
    memory = memory!(options.memory, manifest.memory)
    paths = allowed_paths!(options.allowed_paths, manifest.allowed_paths)
    {wasi, print_levels} = Wasi.options!(options.wasi, paths)

    settings =
      Map.merge(options, %{
        host_functions: HostFunction.normalize(options.host_functions, manifest.host_functions),
        requires: Contract.options!(options.requires),
        snapshot: Snapshot.wish!(options.snapshot),
        config: Map.merge(manifest.config, config!(options.config)),
        memory: memory,
        limits: limits!(options.limits),
        name: name!(options.name),
        allowed_paths: paths,
        ceiling: Ceiling.options!(options.ceiling),
        http: http(options, manifest, memory),
        wasi: wasi,
        print_levels: print_levels,
        timeout_from: timeout_from,
        fuel: fuel!(options.fuel, options.init_fuel),
        coredump: coredump!(options.coredump),
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

  defp limits!(limits) do
    limits = limits |> Keys.validate!(@limits, :limits) |> Map.new()

    for {name, value} <- limits, not (is_integer(value) and value in 0..@max) do
      raise ArgumentError,
            "expected #{inspect(name)} of :limits to be a number from 0 to #{@max}, got: " <>
              inspect(value)
    end

    limits
  end

  defp fuel!(nil, nil), do: nil

  defp fuel!(nil, _init) do
    raise ArgumentError, "expected :init_fuel together with :fuel, the limit of each call"
  end

  defp fuel!(call, init) do
    for {name, value} <- [fuel: call, init_fuel: init || call],
        not (is_integer(value) and value in 0..@max) do
      raise ArgumentError,
            "expected #{inspect(name)} to be units of fuel, from 0 to #{@max}, got: " <>
              inspect(value)
    end

    {call, init || call}
  end

  defp coredump!(nil), do: nil

  defp coredump!(path) do
    unless text?(path) and path != "" and not String.contains?(path, <<0>>) do
      raise ArgumentError,
            "expected :coredump to be the path of a file, without a NUL byte, got: #{Fault.show(path)}"
    end

    Path.expand(path)
  end

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
  def timeout!(:infinity), do: :infinity
  def timeout!(timeout) when is_integer(timeout) and timeout in 0..@max_timeout, do: timeout

  def timeout!(other) do
    raise ArgumentError,
          "expected :timeout to be milliseconds, from 0 to #{@max_timeout}, or :infinity, got: " <>
            inspect(other)
  end

  @doc "The options of a call, but for `:as`, which is taken out before. Without a `:timeout` it is the plugin's."
  @spec call!(keyword()) :: keyword()
  def call!([]), do: []

  def call!(options) do
    # Keys says what is wrong, and is slower: calls are short.
    case Keyword.validate(options, [:context, :timeout, :trace, :stdin]) do
      {:ok, options} -> options
      {:error, _wrong} -> Keys.validate!(options, [:as, :context, :timeout, :trace, :stdin])
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
          "expected the input to be a binary or iodata, got: #{Fault.show(other)}#{hint}"
  end

  defp one_of!(options, key, allowed) do
    unless Map.fetch!(options, key) in allowed do
      raise ArgumentError,
            "expected #{inspect(key)} to be one of #{inspect(allowed)}, got: " <>
              got(Map.fetch!(options, key), allowed)
    end
  end

  defp got(value, allowed), do: Fault.show(value) <> Nearest.advice(value, allowed)

  @doc "The option `:name`, as errors show it."
  @spec name!(term()) :: String.t() | nil
  def name!(nil), do: nil
  def name!(name) when is_atom(name), do: name |> inspect() |> String.trim_leading(":")

  def name!(name) do
    if text?(name) and name != "",
      do: name,
      else:
        raise(ArgumentError, "expected :name to be a string or an atom, got: #{inspect(name)}")
  end

  defp config!(config) do
    pairs = Argument.pairs!(config, ":config to be a map of strings")
    checked!(Check.config(Map.new(pairs)))
  end

  defp memory!(limits, base) do
    limits = if Keyword.keyword?(limits), do: Map.new(limits), else: limits
    pairs = Argument.pairs!(limits, ":memory to be a map or a keyword list of limits")
    if Keyword.keyword?(pairs), do: Keys.validate!(pairs, Map.keys(base), :memory)
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
              "#{Fault.show(guest)}: #{Fault.show(one)} and #{Fault.show(other)}; give each a path of its own"
    end

    paths
  end

  defp checked!({:ok, value}), do: value

  defp checked!({:error, {path, text}}),
    do: raise(ArgumentError, "the option #{Fault.path(path)} #{text}")
end
