defmodule Vitrine.Text.Nearest do
  @moduledoc false
  # Finds the known name that a mistyped one probably stands for.

  # How similar two names must be, by Jaro's measure.
  @alike 0.8

  # Names are compared up to this length: the time that a comparison takes is the product of the two lengths.
  @longest 64

  @doc """
  Returns the known name that is most similar to `name`, or `nil` if none is similar enough. Names are atoms or strings.

      iex> Vitrine.Text.Nearest.find(:max_page, [:max_pages, :max_var_bytes])
      :max_pages
      iex> Vitrine.Text.Nearest.find("colour", ["max_pages"])
      nil
  """
  @spec find(term(), [name]) :: name | nil when name: atom() | String.t()
  def find(name, known) when is_atom(name) or is_binary(name) do
    text = text(name)

    # Newer versions of Elixir raise for text that is not valid.
    if String.valid?(text) do
      known
      |> Enum.map(&{String.jaro_distance(text, text(&1)), &1})
      |> Enum.max_by(&elem(&1, 0), fn -> {0, nil} end)
      |> then(fn {alike, nearest} -> if alike > @alike, do: nearest end)
    end
  end

  def find(_other, _known), do: nil

  @doc """
  Returns the question that a message ends with, or nothing.

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

  # Names are also recognised as other languages write them: max-pages, maxPages.
  defp text(name) do
    name
    |> to_string()
    |> String.slice(0, @longest)
    |> String.replace("-", "_")
    |> Macro.underscore()
  end
end
