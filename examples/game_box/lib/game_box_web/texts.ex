defmodule GameBoxWeb.Texts do
  @moduledoc "Texts for people."

  @doc "Returns why something is not possible."
  @spec refusal(atom()) :: String.t()
  def refusal(:no_such_arena), do: "There is no arena with this code."
  def refusal(:too_many_tries), do: "Too many wrong codes came from here. Wait a few minutes."
  def refusal(:too_many_arenas), do: "Many arenas were started from here. Wait a few minutes."
  def refusal(:no_arena_free), do: "All arenas are taken. Try again later."
  def refusal(:bad_name), do: "A name has 2 to 12 letters or digits."
  def refusal(:name_taken), do: "Somebody in this arena has this name already."
  def refusal(:full), do: "This arena is full."
  def refusal(:not_host), do: "Only the host can do that."
  def refusal(:no_game), do: "This game is no longer in the gallery."
  def refusal(:too_few), do: "There are too few players."
  def refusal(:playing), do: "A round is being played."
  def refusal(:not_playing), do: "No round is being played."
  def refusal(:not_owner), do: "Only the one who uploaded a game can take it out."
end
