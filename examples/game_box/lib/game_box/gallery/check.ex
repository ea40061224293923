defmodule GameBox.Gallery.Check do
  @moduledoc """
  Checks whether bytes are a game. It first checks what can be seen without running them, and then tries the game with
  invented players, under the limits of every game.
  """

  alias GameBox.{Game, Limits}

  @type found :: %{
          id: String.t(),
          title: String.t() | nil,
          description: String.t() | nil,
          min_players: pos_integer(),
          max_players: pos_integer(),
          tick_ms: pos_integer() | nil,
          languages: [String.t()],
          size: non_neg_integer()
        }

  @doc "Returns a description of the game, or the reasons why the bytes are not a game, as texts for people."
  @spec run(binary()) :: {:ok, found()} | {:error, [String.t()]}
  def run(bytes) do
    with :ok <- small(bytes),
         {:ok, seen} <- Vitrine.inspect_plugin({:module, bytes}, Game.plugin_options()),
         :ok <- accepted(seen),
         {:ok, compiled} <- Vitrine.compile({:module, bytes}, Game.plugin_options()),
         {:ok, plugin} <- Vitrine.new(compiled, timeout: Limits.get(:event_timeout_ms)) do
      found = Map.merge(constraints(plugin), description(plugin))

      found = Map.merge(found, %{id: seen.sha256, languages: seen.languages, size: seen.size})

      case trial(plugin, found) do
        {:ok, _html} -> {:ok, found}
        {:error, error} -> {:error, ["It fails when it is tried: " <> words(error) <> "."]}
      end
    else
      {:error, %Vitrine.Error{} = error} ->
        {:error, ["It is not a game: " <> words(error) <> "."]}

      {:error, reasons} ->
        {:error, reasons}
    end
  end

  @doc "Returns names of invented players, for a preview."
  @spec players(found() | Game.t()) :: [String.t()]
  def players(%{min_players: number}), do: for(n <- 1..number, do: "PLAYER #{n}")

  defp small(bytes) do
    limit = Limits.get(:upload_bytes)
    if byte_size(bytes) > limit, do: {:error, ["It has more than #{limit} bytes."]}, else: :ok
  end

  defp accepted(%{component: true}),
    do: {:error, ["It is a component of the component model, and a game is a module."]}

  defp accepted(%{refused: []}), do: :ok

  defp accepted(%{refused: reasons}),
    do:
      {:error,
       for(
         reason <- reasons,
         do: String.capitalize(String.first(reason)) <> String.slice(reason, 1..-1//1) <> "."
       )}

  defp trial(plugin, found) do
    [first | _] = names = players(found)

    with {:ok, _} <-
           Vitrine.call(plugin, "init_game", %{"player_ids" => names}, as: {:json, :raw}),
         {:ok, _} <- Vitrine.call(plugin, "render", %{"player_id" => nil}, as: {:json, :raw}),
         do: Vitrine.call(plugin, "render", %{"player_id" => first}, as: {:json, :string})
  end

  # The default is two players. The game's numbers are forced into the possible range.
  defp constraints(plugin) do
    said = json(plugin, "get_constraints")
    min = whole(said["min_players"], 2) |> max(1) |> min(Limits.get(:max_players))
    max = whole(said["max_players"], max(min, 2)) |> max(min) |> min(Limits.get(:max_players))
    tick = said["tick_ms"]

    tick =
      if is_integer(tick) and tick > 0 and Vitrine.function_exists?(plugin, "tick"),
        do: max(tick, Limits.get(:min_tick_ms))

    %{min_players: min, max_players: max, tick_ms: tick}
  end

  defp description(plugin) do
    said = json(plugin, "describe")
    %{title: string(said["title"]), description: string(said["description"])}
  end

  defp json(plugin, function) do
    with true <- Vitrine.function_exists?(plugin, function),
         {:ok, %{} = said} <- Vitrine.call(plugin, function, "", as: {:raw, :json}) do
      said
    else
      _ -> %{}
    end
  end

  defp whole(number, _default) when is_integer(number), do: number
  defp whole(_other, default), do: default

  defp string(text) when is_binary(text), do: text
  defp string(_other), do: nil

  # Words for the person who uploads a game, and does not know this application's names and function numbers.
  defp words(%{reason: :guest_error, message: message}), do: "it says " <> inspect(cut(message))
  defp words(%{reason: :timeout}), do: "it takes too long"
  defp words(%{reason: :out_of_memory}), do: "it needs more memory than a game may have"

  defp words(%{reason: :trap} = error),
    do:
      "it crashes in the function #{inspect(error.function || "_start")} (#{cut(error.trap || error.message)})"

  defp words(error), do: cut(error.message)

  defp cut(text), do: String.slice(text, 0, 300)
end
