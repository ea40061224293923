defmodule Vitrine.Loader.Contract do
  @moduledoc false
  # The option `:requires` says what a plugin must export and may import.

  alias Vitrine.Error
  alias Vitrine.Loader.Surface
  alias Vitrine.Text.{Nearest, Printable}

  @type t :: %{
          exports: [String.t()],
          imports: :any | [String.t() | Surface.import()],
          abi: 0 | 1 | nil
        }

  # More faults than these are counted and not named, because a hostile module may have a million.
  @most_named 20
  @most_compared 1_000

  @doc "Tells whether a plugin keeps the contract, with WASI granted or not."
  @spec check(t() | nil, Surface.t(), boolean(), String.t()) :: :ok | {:error, Error.t()}
  def check(contract, interface, wasi?, plugin) do
    case faults(contract, interface, wasi?) do
      [] ->
        :ok

      faults ->
        message = "the plugin does not keep its contract: " <> Enum.join(faults, "; ")
        {:error, %Error{reason: :contract, message: message, plugin: plugin}}
    end
  end

  @doc "Returns all ways in which a plugin breaks the contract."
  @spec faults(t() | nil, Surface.t(), boolean()) :: [String.t()]
  def faults(nil, _interface, _wasi?), do: []

  def faults(contract, interface, wasi?) do
    functions = MapSet.new(interface.functions)

    allowed = if is_list(contract.imports), do: MapSet.new(contract.imports), else: :any

    missing = Enum.reject(contract.exports, &(&1 in functions))
    excess = Enum.reject(interface.imports, &allowed?(&1, allowed, wasi?))
    abi = Surface.abi(interface.imports)
    known = Enum.take(interface.functions, @most_compared)

    functions = if match?([_], missing), do: "function", else: "functions"

    listed(missing, "it lacks the plugin #{functions} ", &lacking(&1, known)) ++
      listed(excess, "it imports what it must not: ", &Surface.show/1) ++ abi(contract.abi, abi)
  end

  defp lacking(name, functions) do
    case Nearest.find(name, functions) do
      nil -> Printable.quoted(name)
      nearest -> "#{Printable.quoted(name)} (did you mean #{Printable.quoted(nearest)}?)"
    end
  end

  defp allowed?(_import, :any, _wasi?), do: true

  defp allowed?({namespace, _} = import, allowed, wasi?) do
    case Surface.kind(import) do
      :abi -> true
      :wasi when wasi? -> true
      _ -> namespace in allowed or import in allowed
    end
  end

  defp listed([], _text, _show), do: []

  defp listed(list, text, show) do
    {named, more} = Enum.split(list, @most_named)
    more = if more == [], do: "", else: " and #{length(more)} more"
    [text <> Enum.map_join(named, ", ", show) <> more]
  end

  # A plugin that uses no ABI fits any.
  defp abi(expected, abi) when expected == nil or abi == nil or expected == abi, do: []
  defp abi(expected, abi), do: ["it uses version #{abi} of the ABI, expected #{expected}"]
end
