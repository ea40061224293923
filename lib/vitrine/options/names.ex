defmodule Vitrine.Options.Names do
  @moduledoc false
  # The names of options, and what errors say about one that is unknown. `Keyword.validate!/2` shows everything that was
  # given when one name is wrong, and that may be a module or a secret of the configuration.

  alias Vitrine.Options.{Argument, Places}
  alias Vitrine.Text.Nearest

  @doc """
  The options, with defaults as in `Keyword.validate!/2`. Raises if one is unknown, and says which are known. `of` is
  the option that these are inside of, if they are inside of one.
  """
  @spec validate!(keyword(), [atom() | {atom(), term()}], atom()) :: keyword()
  def validate!(options, known, of \\ nil) do
    what = if of, do: inspect(of), else: "the options"

    case options |> Argument.keyword!(what) |> Keyword.validate(known) do
      {:ok, options} -> options
      {:error, wrong} -> raise ArgumentError, describe(wrong, names(known), of)
    end
  end

  defp names(known) do
    Enum.map(known, fn
      {name, _default} -> name
      name -> name
    end)
  end

  defp describe(wrong, known, of) do
    where = if of, do: " of #{inspect(of)}", else: ""

    case Enum.uniq(wrong) -- known do
      [] ->
        "#{options(Enum.uniq(wrong))}#{where} given twice"

      unknown ->
        known = known |> Enum.uniq() |> Enum.sort()
        told = Enum.map_join(unknown, ", ", &(inspect(&1) <> hint(&1, known, of)))
        plural = if match?([_], unknown), do: "", else: "s"
        "unknown option#{plural}#{where}: #{told}. The options are #{list(known)}"
    end
  end

  defp options([_] = names), do: "the option #{list(names)} is"
  defp options(names), do: "the options #{list(names)} are"

  defp list(names), do: Enum.map_join(names, ", ", &inspect/1)

  defp hint(name, known, of) do
    case advice(name, known, of) do
      nil -> ""
      advice -> " (#{advice})"
    end
  end

  @doc """
  Returns what would be right in the place of an unknown name: the same name elsewhere, the nearest one here, or the nearest
  one elsewhere. Names are atoms, or strings.
  """
  @spec advice(term(), [name], atom()) :: String.t() | nil when name: atom() | String.t()
  def advice(name, known, of \\ nil) do
    nearest = Nearest.find(name, known)

    cond do
      place = place(elsewhere(name), of) -> belongs(place)
      nearest != nil -> "did you mean #{inspect(nearest)}?"
      place = place(Nearest.find(name, Places.names()), of) -> "did you mean #{place}?"
      true -> nil
    end
  end

  defp belongs(place) do
    case String.split(place, ": … of ") do
      [_name, owner] -> "it is an option of #{owner}"
      _inside -> "it belongs in #{place}"
    end
  end

  defp elsewhere(name) when is_binary(name),
    do: Enum.find(Map.keys(Places.all()), &(to_string(&1) == name))

  defp elsewhere(name), do: name

  # Not where it was looked for just now.
  defp place(name, of) do
    case Places.all() do
      %{^name => {inside, place}} when inside == nil or inside != of -> place
      _none -> nil
    end
  end
end
