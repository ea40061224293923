defmodule Vitrine.Loader.Surface do
  @moduledoc false
  # The part of a plugin that the host sees: the functions that can be called, and the imports that its own modules and host
  # functions do not provide.

  alias Vitrine.Text.Printable

  @abi "extism:host/env"
  @wasi "wasi_snapshot_preview1"

  @type import :: {namespace :: String.t(), name :: String.t()}

  @type t :: %__MODULE__{
          functions: [String.t()],
          imports: [import()],
          # The number of parameters of imported functions.
          arities: [{import(), non_neg_integer()}],
          logs?: boolean()
        }

  defstruct functions: [], imports: [], arities: [], logs?: false

  @typedoc """
  A module's plugin functions, all of its exports, and its imports with their number of parameters, which is `nil` for
  an import that is not a function.
  """
  @type module_surface ::
          {[String.t()], [String.t()],
           [{namespace :: String.t(), name :: String.t(), non_neg_integer() | nil}]}

  @doc """
  Returns the surface of linked modules, each of them `{name, surface}`. `main` is the index of the main module, and
  `own` are host functions that the plugin brings itself.
  """
  @spec new([{String.t(), module_surface()}], non_neg_integer(), [import()], boolean()) :: t()
  def new(modules, main, own, logs?) do
    {_, {functions, _, _}} = Enum.at(modules, main)

    # Of modules with the same name the first one counts, as in the core.
    exports =
      for {name, {_, exports, _}} <- Enum.reverse(modules), into: %{} do
        {name, MapSet.new(exports)}
      end

    inner? = fn {namespace, name} ->
      (is_map_key(exports, namespace) and name in exports[namespace]) or {namespace, name} in own
    end

    wanted =
      for {_, {_, _, imports}} <- modules,
          {namespace, name, params} <- imports,
          import = {namespace, name},
          not inner?.(import),
          uniq: true,
          do: {import, params}

    %__MODULE__{
      functions: functions,
      imports: Enum.uniq(for {import, _} <- wanted, do: import),
      arities: for({import, n} when n != nil <- wanted, do: {import, n}),
      logs?: logs?
    }
  end

  @doc """
  Returns the version of the ABI that the imports are of: 1 for Extism's since 1.0, 0 for the one before,
  `nil` if there are none of either.
  """
  @spec abi([import()]) :: 0 | 1 | nil
  def abi(imports) do
    cond do
      Enum.any?(imports, &match?({"env", "extism_" <> _}, &1)) -> 0
      Enum.any?(imports, &match?({@abi, _}, &1)) -> 1
      true -> nil
    end
  end

  @doc "Tells whether an import belongs to the ABI, to WASI, or to the host functions."
  @spec kind(import()) :: :abi | :wasi | :host
  def kind({@abi, _}), do: :abi
  def kind({"env", "extism_" <> _}), do: :abi
  def kind({@wasi, _}), do: :wasi
  def kind(_import), do: :host

  @doc "Returns an import as messages write it. The plugin's author chose its names."
  @spec show(import()) :: String.t()
  def show({namespace, name}), do: "#{Printable.quoted(namespace)}.#{Printable.quoted(name)}"
end
