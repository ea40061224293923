defmodule Vitrine.HTML.Names do
  @moduledoc false
  # The way back from names in a page to those of a plugin; the core goes the other way.

  @doc "See `Vitrine.HTML.event/2`."
  @spec event(String.t(), String.t()) :: {:ok, String.t()} | :error
  def event(namespace, event) when is_binary(namespace) and is_binary(event) do
    prefix = "vitrine:" <> namespace <> ":"
    size = byte_size(prefix)

    case event do
      <<^prefix::binary-size(size), name::binary>> -> {:ok, name}
      _other -> :error
    end
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
