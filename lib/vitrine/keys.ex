defmodule Vitrine.Keys do
  @moduledoc false
  # The names of options. `Keyword.validate!/2` shows all that was given when one is wrong, and that may
  # be a module or a secret of the configuration.

  alias Vitrine.Argument

  @doc """
  The options, with defaults as in `Keyword.validate!/2`. Raises if one is unknown, and says which are known. `of` is the
  option that these are in, if they are in one.
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
        "option#{where} given twice: #{list(Enum.uniq(wrong))}"

      unknown ->
        known = known |> Enum.uniq() |> Enum.sort()
        hints = Enum.map_join(unknown, &hint(&1, known))
        "unknown option#{where}: #{list(unknown)}#{hints}. The options are #{list(known)}"
    end
  end

  defp list(names), do: Enum.map_join(names, ", ", &inspect/1)

  defp hint(name, known) do
    nearest = Enum.max_by(known, &alike(name, &1), fn -> nil end)
    if nearest && alike(name, nearest) > 0.8, do: " (did you mean #{inspect(nearest)}?)"
  end

  defp alike(one, other), do: String.jaro_distance(to_string(one), to_string(other))
end
