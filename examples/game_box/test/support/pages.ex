defmodule GameBox.Pages do
  @moduledoc "Puts people into arenas, for tests that need no browser."

  import ExUnit.Assertions
  import GameBoxWeb.ConnCase, only: [arena!: 1, eventually: 1]

  alias GameBox.{Arena, TestGames}

  @doc "Starts a person's page, as far as an arena sees it. `nil` stands for a spectator."
  def page(code, id) do
    test = self()

    pid =
      spawn(fn ->
        send(test, {:looks, self(), Arena.look(code, id)})
        look_again(code, id)
      end)

    assert_receive {:looks, ^pid, {:ok, _room}}, 5_000
    pid
  end

  defp look_again(code, id) do
    receive do
      :arena_back -> Arena.look_again(code, id)
      _news -> :ok
    end

    look_again(code, id)
  end

  @doc "Returns the present state of an arena."
  def room(code) do
    {:ok, room} = Arena.room(code)
    room
  end

  @doc "Returns an arena in which these people play a counter, and their pages."
  def playing!(ids \\ ["ann", "bob"]) do
    game = TestGames.add!()
    code = arena!(ids)
    pages = for id <- ids, do: page(code, id)
    {:ok, _} = Arena.select(code, hd(ids), game.id)
    {:ok, _} = Arena.start_round(code, hd(ids))
    eventually(fn -> room(code).phase == :playing end)
    {code, pages}
  end
end
