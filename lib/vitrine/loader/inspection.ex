defmodule Vitrine.Loader.Inspection do
  @moduledoc false
  # Reads what a module says of itself, and finds out whether it would be refused; see Vitrine.inspect_plugin/2.

  alias Vitrine.{Error, HostFunction, Inspection, Manifest, Native}
  alias Vitrine.Call.Failure
  alias Vitrine.Loader.{Contract, Settings, Surface}
  alias Vitrine.Manifest.Content
  alias Vitrine.Text.Printable

  @abi_namespaces ["extism:host/env", "env"]

  @doc "See `Vitrine.inspect_plugin/2`."
  @spec inspect_plugin(binary() | {:module, binary()}, keyword()) ::
          {:ok, Inspection.t()} | {:error, Error.t()}
  def inspect_plugin({:module, bytes}, options), do: inspect_plugin(bytes, options)

  def inspect_plugin(bytes, options) do
    unless is_binary(bytes) do
      raise ArgumentError,
            "expected the bytes of a module or its text, got: #{Printable.term(bytes)}"
    end

    settings = Settings.check!(options, %Manifest{})

    case Content.check(bytes) do
      :ok -> inspect_module(bytes, settings)
      {:error, finding} -> not_a_module(bytes, finding, settings)
    end
  end

  # Of a component only a little is known, and this is returned.
  defp not_a_module(<<0, "asm", _version::16, 1, 0, _::binary>> = bytes, _finding, settings),
    do: inspect_module(bytes, settings)

  # The message is for whoever uploaded the file.
  defp not_a_module(_bytes, {predicate, _for_developers, advice}, settings) do
    message = "the file is not a WebAssembly module: it #{predicate}; #{advice}"
    {:error, %Error{reason: :compile, message: message, plugin: settings.name}}
  end

  defp inspect_module(bytes, settings) do
    terms = Settings.link_terms(settings)

    case Native.await(&Native.inspect_module(bytes, terms, &1)) do
      {:ok, found} -> {:ok, describe(bytes, found, settings)}
      {:error, details} -> {:error, Failure.error(details, plugin: settings.name)}
    end
  end

  defp describe(bytes, found, settings) do
    interface = interface(found)
    kinds = Enum.group_by(interface.imports, &Surface.kind/1)
    producers = Map.new(found.producers)

    %Inspection{
      size: byte_size(bytes),
      sha256: found.sha256,
      component: found.component,
      name: found.name,
      producers: producers,
      languages: for({language, _version} <- Map.get(producers, "language", []), do: language),
      exports: for({name, type} <- found.exports, do: %{name: name, type: type}),
      functions: interface.functions,
      imports:
        for({ns, name, type} <- found.imports, do: %{namespace: ns, name: name, type: type}),
      memories: found.memories,
      tables: found.tables,
      start: found.start,
      abi: Surface.abi(interface.imports),
      wasi: is_map_key(kinds, :wasi),
      http: Enum.any?(kinds[:abi] || [], &http?/1),
      host_functions: kinds[:host] || [],
      refused: refused(found, interface, settings)
    }
  end

  # The name is that of a plugin's only module where it is linked.
  defp interface(found) do
    functions = for {name, type} <- found.exports, plugin_function?(type), do: name
    exports = for {name, _type} <- found.exports, do: name

    imports =
      for {namespace, name, type} <- found.imports do
        {namespace, name, if(type.kind == :function, do: length(type.params))}
      end

    Surface.new([{"main", {functions, exports, imports}}], 0, [], false)
  end

  defp plugin_function?(%{kind: :function, params: [], results: results}),
    do: results in [[], [:i32]]

  defp plugin_function?(_type), do: false

  defp http?({namespace, name}),
    do:
      namespace in @abi_namespaces and
        String.replace_prefix(name, "extism_", "") == "http_request"

  defp refused(%{component: true}, _interface, _settings),
    do: ["it is a component, and not a module"]

  # Everything but the initial sizes is checked by the same code that makes plugins.
  defp refused(found, interface, settings) do
    Contract.faults(settings.requires, interface, settings.wasi != nil) ++
      for({_reason, message} <- found.faults, do: message) ++
      HostFunction.faults(settings.host_functions, interface) ++
      memory(found, settings) ++ tables(found, settings)
  end

  defp memory(%{memories: memories}, settings) do
    pages = memories |> Enum.map(& &1.min_pages) |> Enum.sum()
    limit = settings.memory.max_pages

    if pages > limit,
      do: [
        "its memories begin with #{pages} pages of 64 KiB; the limit is #{limit} (memory: %{max_pages: #{limit}})"
      ],
      else: []
  end

  defp tables(%{tables: tables}, settings) do
    elements = tables |> Enum.map(& &1.min) |> Enum.sum()
    limit = settings.limits.table_elements

    if elements > limit,
      do: [
        "its tables begin with #{elements} elements; the limit is #{limit} (limits: [table_elements: #{limit}])"
      ],
      else: []
  end
end
