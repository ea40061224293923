defmodule Vitrine.Text.Nearest do
  @moduledoc false
  # The name that is meant by one that is not known.

  # How like two names must be, by Jaro's measure.
  @alike 0.8

  # Longer ones are compared as far as this: the time for two is their product.
  @longest 64

  @doc """
  The known name that is most like another, which must be quite like it, or `nil`. Names are atoms or strings.

      iex> Vitrine.Text.Nearest.find(:max_page, [:max_pages, :max_var_bytes])
      :max_pages
      iex> Vitrine.Text.Nearest.find("colour", ["max_pages"])
      nil
  """
  @spec find(term(), [name]) :: name | nil when name: atom() | String.t()
  def find(name, known) when is_atom(name) or is_binary(name) do
    text = text(name)

    known
    |> Enum.map(&{String.jaro_distance(text, text(&1)), &1})
    |> Enum.max_by(&elem(&1, 0), fn -> {0, nil} end)
    |> then(fn {alike, nearest} -> if alike > @alike, do: nearest end)
  end

  def find(_other, _known), do: nil

  @doc """
  What a message adds for it.

      iex> Vitrine.Text.Nearest.advice(:drity, [:auto, :dirty])
      "; did you mean :dirty?"
  """
  @spec advice(term(), [atom() | String.t()]) :: String.t()
  def advice(name, known) do
    case find(name, known) do
      nil -> ""
      nearest -> "; did you mean #{inspect(nearest)}?"
    end
  end

  # Also as it is written in other languages: max-pages, maxPages.
  defp text(name) do
    name
    |> to_string()
    |> String.slice(0, @longest)
    |> String.replace("-", "_")
    |> Macro.underscore()
  end
end
