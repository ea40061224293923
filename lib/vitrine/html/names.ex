defmodule Vitrine.HTML.Names do
  @moduledoc false
  # Converts names in a page back to those of a plugin. The core does the opposite.

  @doc "See `Vitrine.HTML.event/2`."
  @spec event(String.t(), String.t()) :: {:ok, String.t()} | :error
  def event(namespace, event) when is_binary(namespace) and is_binary(event) do
    prefix = "vitrine:" <> namespace <> ":"
    if String.starts_with?(event, prefix), do: {:ok, rest(event, prefix)}, else: :error
  end

  defp rest(event, prefix) do
    size = byte_size(prefix)
    binary_part(event, size, byte_size(event) - size)
  end

  @doc "See `Vitrine.HTML.params/2`."
  @spec params(String.t(), map()) :: map()
  def params(namespace, %{} = params) do
    params =
      case Map.pop(params, namespace) do
        {%{} = fields, params} -> Map.merge(params, fields)
        _no_fields -> params
      end

    case params do
      %{"_target" => [^namespace | target]} -> %{params | "_target" => target}
      params -> params
    end
  end
end
