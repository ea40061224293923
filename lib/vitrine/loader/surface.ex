defmodule Vitrine.Loader.Surface do
  @moduledoc false
  # What a plugin shows to its host: the functions that can be called, and what it wants from
  # outside of its own modules and host functions.

  alias Vitrine.Text.Printable

  @abi "extism:host/env"
  @wasi "wasi_snapshot_preview1"

  @type import :: {namespace :: String.t(), name :: String.t()}

  @type t :: %__MODULE__{
          functions: [String.t()],
          imports: [import()],
          # How many parameters functions are wanted with.
          arities: [{import(), non_neg_integer()}],
          logs?: boolean()
        }

  defstruct functions: [], imports: [], arities: [], logs?: false

  @typedoc """
  A module's plugin functions, all of its exports, and its imports with their number of parameters, which is
  `nil` for what is no function.
  """
  @type module_interface ::
          {[String.t()], [String.t()],
           [{namespace :: String.t(), name :: String.t(), non_neg_integer() | nil}]}

  @doc """
  The interface of linked modules, `{name, interface}` each, of which one is the main one. They bring host functions of
  their `own`.
  """
  @spec new([{String.t(), module_interface()}], non_neg_integer(), [import()], boolean()) :: t()
  def new(modules, main, own, logs?) do
    {_, {functions, _, _}} = Enum.at(modules, main)

    # As the core links: of modules with the same name the first counts.
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
  The version of the ABI that the imports are of: 1 for Extism's since 1.0, 0 for the one before,
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

  @doc "Whether an import is of the ABI, of WASI, or of the host functions."
  @spec kind(import()) :: :abi | :wasi | :host
  def kind({@abi, _}), do: :abi
  def kind({"env", "extism_" <> _}), do: :abi
  def kind({@wasi, _}), do: :wasi
  def kind(_import), do: :host

  @doc "An import as messages write it: its names are what the plugin's author chose."
  @spec show(import()) :: String.t()
  def show({namespace, name}), do: "#{Printable.quoted(namespace)}.#{Printable.quoted(name)}"
end
