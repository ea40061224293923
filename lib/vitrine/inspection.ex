defmodule Vitrine.Inspection do
  @moduledoc false
  # What a module says of itself, and whether it would be refused; see Vitrine.inspect_plugin/2.

  alias Vitrine.{Contract, Error, HostFunction, Interface, Manifest, Native, Options}
  alias Vitrine.Manifest.Fault
  alias Vitrine.Source.Content

  # For each module; the kernel has a memory as well.
  @max_memories 15
  @max_tables 64

  @abi_namespaces ["extism:host/env", "env"]

  @doc "See `Vitrine.inspect_plugin/2`."
  @spec inspect_plugin(binary() | {:module, binary()}, keyword()) ::
          {:ok, map()} | {:error, Error.t()}
  def inspect_plugin({:module, bytes}, options), do: inspect_plugin(bytes, options)

  def inspect_plugin(bytes, options) do
    unless is_binary(bytes) do
      raise ArgumentError,
            "expected the bytes of a module or its text, got: #{Fault.show(bytes)}"
    end

    settings = Options.plugin!(options, %Manifest{})

    case Content.check(bytes) do
      :ok -> inspect_module(bytes, settings)
      {:error, finding} -> not_a_module(bytes, finding, settings)
    end
  end

  # What little is known of a component is told.
  defp not_a_module(<<0, "asm", _version::16, 1, 0, _::binary>> = bytes, _finding, settings),
    do: inspect_module(bytes, settings)

  # For whoever uploaded it.
  defp not_a_module(_bytes, {predicate, _for_developers, advice}, settings) do
    message = "the file is not a WebAssembly module: it #{predicate}; #{advice}"
    {:error, %Error{reason: :compile, message: message, plugin: settings.name}}
  end

  defp inspect_module(bytes, settings) do
    case Native.await(&Native.inspect_module(bytes, &1)) do
      {:ok, found} -> {:ok, describe(bytes, found, settings)}
      {:error, details} -> {:error, Error.from_native(details, plugin: settings.name)}
    end
  end

  defp describe(bytes, found, settings) do
    wanted = wanted(found)
    imports = for {namespace, name, _} <- wanted, do: {namespace, name}
    kinds = imports |> Enum.uniq() |> Enum.group_by(&Interface.kind/1)
    functions = for {name, type} <- found.exports, plugin_function?(type), do: name
    producers = Map.new(found.producers)

    %{
      size: byte_size(bytes),
      sha256: found.sha256,
      component: found.component,
      name: found.name,
      producers: producers,
      languages: for({language, _version} <- Map.get(producers, "language", []), do: language),
      exports: for({name, type} <- found.exports, do: %{name: name, type: type}),
      functions: functions,
      imports:
        for({ns, name, type} <- found.imports, do: %{namespace: ns, name: name, type: type}),
      memories: found.memories,
      tables: found.tables,
      start: found.start,
      abi: Interface.abi(imports),
      wasi: is_map_key(kinds, :wasi),
      http: Enum.any?(kinds[:abi] || [], &http?/1),
      host_functions: kinds[:host] || [],
      refused:
        refused(found, wanted, %Interface{functions: functions, imports: imports}, settings)
    }
  end

  # A module is called "main" where it is linked, and may import from itself.
  defp wanted(found) do
    own = for {name, _type} <- found.exports, into: MapSet.new(), do: {"main", name}
    Enum.reject(found.imports, fn {namespace, name, _type} -> {namespace, name} in own end)
  end

  defp plugin_function?(%{kind: :function, params: [], results: results}),
    do: results in [[], [:i32]]

  defp plugin_function?(_type), do: false

  defp http?({namespace, name}),
    do:
      namespace in @abi_namespaces and
        String.replace_prefix(name, "extism_", "") == "http_request"

  defp refused(%{component: true}, _wanted, _interface, _settings),
    do: ["it is a component, and not a module"]

  defp refused(found, wanted, interface, settings) do
    unknown = MapSet.new(found.unknown)

    Contract.faults(settings.requires, interface, settings.wasi != nil) ++
      wasi(interface, settings) ++
      snapshot(interface, settings.snapshot) ++
      Enum.flat_map(wanted, &unlinkable(&1, unknown, settings)) ++
      memory(found, settings) ++ tables(found, settings)
  end

  defp wasi(interface, settings) do
    if settings.wasi == nil and Enum.any?(interface.imports, &(Interface.kind(&1) == :wasi)),
      do: ["it needs WASI, which is not granted"],
      else: []
  end

  defp snapshot(interface, function) do
    if is_binary(function) and function not in interface.functions,
      do: ["it lacks the plugin function #{inspect(function)}, which a snapshot is taken after"],
      else: []
  end

  defp unlinkable({namespace, name, type}, unknown, settings) do
    import = {namespace, name}
    function = Enum.find(settings.host_functions, &({&1.namespace, &1.name} == import))

    case {function, Interface.kind(import)} do
      {nil, :host} ->
        ["it imports #{Interface.show(import)}, and there is no such host function"]

      {nil, :abi} ->
        abi(import, type, unknown)

      {nil, :wasi} ->
        []

      {function, _kind} ->
        typed(import, type, Options.types(function)) ++ arity(type, function)
    end
  end

  defp abi(import, type, unknown) do
    cond do
      type.kind != :function ->
        ["it imports #{Interface.show(import)} as a #{type.kind}, and that is a function"]

      import in unknown ->
        ["it imports #{Interface.show(import)}, and the ABI has no such function"]

      true ->
        []
    end
  end

  defp typed(import, %{kind: :function} = type, nil) do
    # What has no declared types takes and gives handles.
    expected =
      {List.duplicate(:i64, length(type.params)), List.duplicate(:i64, length(type.results))}

    typed(import, type, expected)
  end

  defp typed(import, %{kind: :function, params: params, results: results}, {expected, given}) do
    if {params, results} == {handles(expected), handles(given)} do
      []
    else
      [
        "it imports #{Interface.show(import)} as #{signature(params, results)}, and the host " <>
          "function is #{signature(handles(expected), handles(given))}"
      ]
    end
  end

  defp typed(import, type, _types),
    do: ["it imports #{Interface.show(import)} as a #{type.kind}, and that is a host function"]

  defp arity(%{kind: :function, params: params}, %{types: nil} = function),
    do: function |> HostFunction.arity_fault(length(params)) |> List.wrap()

  defp arity(_type, _function), do: []

  defp handles(types), do: Enum.map(types, &if(&1 == :binary, do: :i64, else: &1))

  defp signature(params, results),
    do: "(#{Enum.join(params, ", ")}) -> (#{Enum.join(results, ", ")})"

  defp memory(%{memories: memories}, settings) do
    pages = memories |> Enum.map(& &1.min_pages) |> Enum.sum()
    limit = settings.memory.max_pages

    if(length(memories) > @max_memories,
      do: ["it has #{length(memories)} memories, the limit is #{@max_memories}"],
      else: []
    ) ++
      if pages > limit,
        do: ["its memories begin with #{pages} pages, the limit is #{limit}"],
        else: []
  end

  defp tables(%{tables: tables}, settings) do
    elements = tables |> Enum.map(& &1.min) |> Enum.sum()
    limit = settings.limits.table_elements

    if(length(tables) > @max_tables,
      do: ["it has #{length(tables)} tables, the limit is #{@max_tables}"],
      else: []
    ) ++
      if elements > limit,
        do: ["its tables begin with #{elements} elements, the limit is #{limit}"],
        else: []
  end
end
