defmodule Vitrine.Loader do
  @moduledoc false
  # From a source to a plugin that is ready to be called: read, compile and link, which makes a
  # Vitrine.Compiled, then bind and initialise. There is no other way.

  alias Vitrine.Call.{Deadline, Loop}
  alias Vitrine.Loader.{Contract, NativeCache, Snapshot, Source, Surface}

  alias Vitrine.{
    Compiled,
    Error,
    HostFunction,
    Manifest,
    Native,
    Options,
    Plugin,
    Telemetry,
    Wasi
  }

  alias Vitrine.Text.Printable

  @doc "A compiled plugin of any source; one that is compiled gets the options on top of its own."
  @spec compile(Source.t() | Compiled.t(), keyword()) :: {:ok, Compiled.t()} | {:error, Error.t()}
  def compile(%Compiled{} = compiled, options), do: Compiled.merge!(compiled, options)

  def compile(source, options) do
    with {:ok, manifest, modules, name} <- read(source, options) do
      settings = Options.plugin!(options, manifest)
      main = Enum.find_index(modules, &match?({"main", _}, &1))
      name = settings.name || name

      with :ok <- Wasi.check(%{settings | name: name}, options),
           :ok <- Snapshot.check(settings.snapshot, modules, name),
           {:ok, interface} <- plan(modules, main, manifest.host_functions, settings, name),
           {:ok, modules} <- compile_modules(modules, main, settings, name),
           hash = modules |> Enum.at(main) |> elem(1) |> Native.compiled_hash(),
           name = name || String.slice(hash, 0, 12),
           {:ok, ref} <- native(Native.link(modules, main, Options.link_terms(settings)), name) do
        snapshot(%Compiled{
          name: name,
          hash: hash,
          ref: ref,
          interface: interface,
          manifest: %{manifest | wasm: []},
          options: options,
          settings: settings
        })
      end
    end
  end

  defp read(source, options) do
    name = Options.name!(options[:name])

    with {:error, error} <- Source.load(source, options),
         do: {:error, %{error | plugin: name || error.plugin}}
  end

  # What the modules declare, checked: what cannot be linked is not compiled.
  defp plan(modules, main, own, settings, name) do
    terms = Options.link_terms(settings)
    asked = Native.await(&Native.plan_modules(modules, main, terms, &1))

    with {:ok, {interfaces, logs?, faults}} <- asked |> native(name) |> told(modules, main, name),
         own = Enum.map(own, &{&1.namespace, &1.name}),
         named = Enum.zip_with(modules, interfaces, fn {name, _}, found -> {name, found} end),
         interface = Surface.new(named, main, own, logs?),
         :ok <- Contract.check(settings.requires, interface, settings.wasi != nil, name),
         :ok <- faultless(faults, settings, name),
         :ok <- HostFunction.check(settings.host_functions, interface, name),
         do: {:ok, interface}
  end

  # The error is of the first one's reason, and tells all that are of it.
  defp faultless([], _settings, _name), do: :ok

  defp faultless([{reason, _} | _] = faults, settings, name) do
    [first | more] = for {^reason, message} <- faults, do: message
    message = Enum.join([first | Enum.map(more, &sentence/1)], ". ")
    function = if reason == :function_not_found, do: settings.snapshot
    {:error, %Error{reason: reason, message: message, plugin: name, function: function}}
  end

  defp sentence(<<first::utf8, rest::binary>>), do: String.upcase(<<first::utf8>>) <> rest

  # What cannot be read would not have been compiled: who counts that is told as of what is tried.
  defp told({:error, %{reason: :compile}} = error, modules, main, name) do
    {module, bytes} = Enum.at(modules, main)
    metadata = %{plugin: Telemetry.tag(name), module: Telemetry.tag(module)}
    describe = &Map.put(Telemetry.outcome(&1), :from, nil)

    Telemetry.span([:vitrine, :compile], %{bytes: byte_size(bytes)}, metadata, describe, fn ->
      error
    end)
  end

  defp told(result, _modules, _main, _name), do: result

  # The same plugin, but for what it begins with.
  defp snapshot(%Compiled{settings: %{snapshot: false}} = compiled), do: {:ok, compiled}

  defp snapshot(%Compiled{settings: settings, name: name} = compiled) do
    with {:ok, module, vars} <- Snapshot.take(compiled),
         terms = Map.merge(compile_terms(settings), %{library: false, stage: :snapshot}),
         {:ok, {module, _from}} <- native(compile_module("main", module, terms, name), name),
         {:ok, ref} <-
           native(Native.link([{"main", module}], 0, Options.link_terms(settings)), name) do
      {:ok, %{compiled | ref: ref, vars: vars}}
    end
  end

  @doc "The same, for somebody who keeps it: it is listed from now on."
  @spec keep(Compiled.t()) :: Compiled.t()
  def keep(%Compiled{ref: ref, name: name, hash: hash} = compiled) do
    Native.links_list(ref, name, hash)
    compiled
  end

  @doc "Checks the options for a source that is loaded later."
  @spec check_options!(Source.t() | Compiled.t(), keyword()) :: map()
  def check_options!(%Compiled{options: own, manifest: manifest}, options),
    do: own |> Keyword.merge(options) |> check!(manifest)

  def check_options!(_source, options), do: check!(options, %Manifest{})

  # What a manifest asks for is looked at when it is loaded.
  defp check!(options, manifest) do
    settings = Options.plugin!(options, manifest)
    _fault_of_manifest = Wasi.check(settings, options)
    settings
  end

  @doc "A plugin with its instance."
  @spec load(Source.t() | Compiled.t(), keyword()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def load(source, options) do
    with {:ok, %{settings: settings} = compiled} <- compile(source, options) do
      compiled
      |> instantiate(settings.timeout)
      |> Deadline.told(settings.timeout, settings.timeout_from)
    end
  end

  @doc "A plugin with its instance, which is made within this time, and what process has it."
  @spec instantiate(Compiled.t(), timeout(), pid()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def instantiate(compiled, within, owner \\ self()) do
    with {:ok, plugin} <- plugin(compiled, owner),
         frame = {plugin, nil, compiled.settings.context},
         {:ok, _} <- Loop.initialise(frame, within),
         do: {:ok, plugin}
  end

  @doc "A plugin without an instance: its first call makes one."
  @spec plugin(Compiled.t(), pid()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def plugin(%Compiled{settings: settings, vars: vars} = compiled, owner \\ self()) do
    with {:ok, ref} <- native(bind(compiled.ref, settings), compiled.name),
         :ok <- put_vars(ref, vars, compiled.name) do
      Native.plugin_list(ref, compiled.name, compiled.hash, owner)

      {:ok,
       %Plugin{
         name: compiled.name,
         hash: compiled.hash,
         ref: ref,
         host_functions: List.to_tuple(settings.host_functions),
         timeout: settings.timeout,
         timeout_from: settings.timeout_from,
         scheduler: settings.scheduler,
         http: settings.http,
         logs?: compiled.interface.logs?,
         log_level: settings.log_level,
         print_levels: settings.print_levels,
         wasi?: settings.wasi != nil
       }}
    end
  end

  defp bind(links, %{bulky?: true, terms: terms}), do: Native.plugin_new_dirty(links, terms)
  defp bind(links, %{terms: terms}), do: Native.plugin_new(links, terms)

  defp put_vars(_ref, vars, _name) when vars == %{}, do: :ok
  defp put_vars(ref, vars, name), do: native(Native.plugin_put_vars(ref, Map.to_list(vars)), name)

  # One after the other: a worker of the core compiles each with all processors.
  defp compile_modules(modules, main, settings, plugin) do
    stage = if settings.snapshot != false, do: :draft
    terms = Map.put(compile_terms(settings), :stage, stage)

    modules
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {{name, bytes}, index}, {:ok, compiled} ->
      terms = Map.put(terms, :library, index != main)

      case compile_module(name, bytes, terms, plugin) do
        {:ok, {module, _from}} -> {:cont, {:ok, [{name, module} | compiled]}}
        error -> {:halt, native(in_module(error, name, modules), plugin)}
      end
    end)
    |> then(&with {:ok, compiled} <- &1, do: {:ok, Enum.reverse(compiled)})
  end

  defp compile_terms(settings),
    do: Map.put(settings.compile, :cache, NativeCache.native!(settings.cache))

  defp compile_module(name, bytes, terms, plugin) do
    describe = fn result ->
      Map.put(Telemetry.outcome(native(result, plugin)), :from, from(result))
    end

    metadata = %{plugin: Telemetry.tag(plugin), module: Telemetry.tag(name)}

    Telemetry.span([:vitrine, :compile], %{bytes: byte_size(bytes)}, metadata, describe, fn ->
      Native.await(&Native.compile(bytes, terms, &1))
    end)
  end

  defp from({:ok, {_module, from}}), do: from
  defp from({:error, _details}), do: nil

  defp in_module(error, _name, [_only]), do: error

  defp in_module({:error, details}, name, _modules) do
    {:error, put_elem(details, 1, told(elem(details, 1), Printable.quoted(name)))}
  end

  defp told("the module " <> rest, name), do: "the module #{name} #{rest}"
  defp told(message, name), do: "the module #{name}: #{message}"

  defp native({:ok, _} = ok, _name), do: ok
  defp native(:ok, _name), do: :ok
  defp native({:error, details}, name), do: {:error, Error.from_native(details, plugin: name)}
end
