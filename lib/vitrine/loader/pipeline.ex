defmodule Vitrine.Loader.Pipeline do
  @moduledoc false
  # From a source to a plugin that can be called: the source is read, compiled and linked, which makes a
  # `Vitrine.Compiled`, and this is bound and initialised. There is no other way to a plugin.

  alias Vitrine.{Compiled, Error, HostFunction, Manifest, Native, Plugin, Wasi}
  alias Vitrine.Call.{Failure, Timeout}
  alias Vitrine.Loader.{Contract, Instance, Merge, Modules, Settings, Snapshot, Source, Surface}

  @doc "Returns a plugin with its instance."
  @spec load(Source.t() | Compiled.t(), keyword()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def load(source, options) do
    with {:ok, %{settings: settings} = compiled} <- compile(source, options) do
      compiled
      |> Instance.make(settings.timeout)
      |> Timeout.explain(settings.timeout, settings.timeout_from)
    end
  end

  @doc "Returns a compiled plugin of any source. One that is compiled already gets the options on top of its own."
  @spec compile(Source.t() | Compiled.t(), keyword()) :: {:ok, Compiled.t()} | {:error, Error.t()}
  def compile(%Compiled{} = compiled, options), do: Merge.merge!(compiled, options)

  def compile(source, options) do
    with {:ok, manifest, modules, name} <- read(source, options) do
      settings = Settings.check!(options, manifest)
      main = Enum.find_index(modules, &match?({"main", _}, &1))
      name = settings.name || name

      with :ok <- Wasi.check(%{settings | name: name}, options),
           :ok <- Snapshot.check(settings.snapshot, modules, name),
           {:ok, surface} <- plan(modules, main, manifest.host_functions, settings, name),
           {:ok, modules} <- Modules.compile(modules, main, settings, name),
           hash = modules |> Enum.at(main) |> elem(1) |> Native.compiled_hash(),
           name = name || String.slice(hash, 0, 12),
           {:ok, ref} <- link(modules, main, settings, name) do
        snapshot(%Compiled{
          name: name,
          hash: hash,
          ref: ref,
          interface: surface,
          manifest: %{manifest | wasm: []},
          options: options,
          settings: settings
        })
      end
    end
  end

  defp read(source, options) do
    name = Settings.name!(options[:name])

    with {:error, error} <- Source.load(source, options),
         do: {:error, %{error | plugin: name || error.plugin}}
  end

  # Checks what the modules declare. What cannot be linked is not compiled.
  defp plan(modules, main, own, settings, name) do
    terms = Settings.link_terms(settings)
    asked = Native.await(&Native.plan_modules(modules, main, terms, &1))

    with {:ok, {surfaces, logs?, faults}} <-
           asked |> native(name) |> readable(modules, main, name),
         own = Enum.map(own, &{&1.namespace, &1.name}),
         named = Enum.zip_with(modules, surfaces, fn {name, _}, found -> {name, found} end),
         surface = Surface.new(named, main, own, logs?),
         :ok <- Contract.check(settings.requires, surface, settings.wasi != nil, name),
         :ok <- faultless(faults, settings, name),
         :ok <- HostFunction.check(settings.host_functions, surface, name),
         do: {:ok, surface}
  end

  defp readable({:error, %{reason: :compile}} = error, modules, main, name),
    do: modules |> Enum.at(main) |> Modules.report_unreadable(error, name)

  defp readable(result, _modules, _main, _name), do: result

  # The error has the reason of the first fault, and names all faults of that reason.
  defp faultless([], _settings, _name), do: :ok

  defp faultless([{reason, _} | _] = faults, settings, name) do
    [first | more] = for {^reason, message} <- faults, do: message
    message = Enum.join([first | Enum.map(more, &sentence/1)], ". ")
    function = if reason == :function_not_found, do: settings.snapshot
    {:error, %Error{reason: reason, message: message, plugin: name, function: function}}
  end

  defp sentence(<<first::utf8, rest::binary>>), do: String.upcase(<<first::utf8>>) <> rest

  # The same plugin, whose instances begin with the snapshot.
  defp snapshot(%Compiled{settings: %{snapshot: false}} = compiled), do: {:ok, compiled}

  defp snapshot(%Compiled{settings: settings, name: name} = compiled) do
    with {:ok, module, vars} <- Snapshot.take(compiled),
         {:ok, modules} <- Modules.compile_snapshot(module, settings, name),
         {:ok, ref} <- link(modules, 0, settings, name),
         do: {:ok, %{compiled | ref: ref, vars: vars}}
  end

  defp link(modules, main, settings, name),
    do: modules |> Native.link(main, Settings.link_terms(settings)) |> native(name)

  @doc "Returns the same compiled plugin, which is listed from now on, for a caller that keeps it."
  @spec keep(Compiled.t()) :: Compiled.t()
  def keep(%Compiled{ref: ref, name: name, hash: hash} = compiled) do
    Native.links_list(ref, name, hash)
    compiled
  end

  @doc "Checks the options for a source that is loaded later, and gives the settings."
  @spec check_options!(Source.t() | Compiled.t(), keyword()) :: map()
  def check_options!(%Compiled{options: own, manifest: manifest}, options),
    do: own |> Keyword.merge(options) |> check!(manifest)

  def check_options!(_source, options), do: check!(options, %Manifest{})

  # The requests of a manifest are checked when it is loaded.
  defp check!(options, manifest) do
    settings = Settings.check!(options, manifest)
    _fault_of_manifest = Wasi.check(settings, options)
    settings
  end

  defp native(answer, name), do: Failure.result(answer, plugin: name)
end
