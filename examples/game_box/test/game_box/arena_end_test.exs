defmodule GameBox.ArenaEndTest do
  # With other limits than the rest.
  use ExUnit.Case, async: false

  import GameBoxWeb.ConnCase
  import GameBox.TestGames

  alias GameBox.{Arena, Round}
  alias GameBox.Arena.Saved

  setup do
    limits = Application.get_env(:game_box, :limits)
    Application.put_env(:game_box, :limits, empty_after_ms: 400, host_gone_after_ms: 200)
    on_exit(fn -> Application.put_env(:game_box, :limits, limits) end)
  end

  # Somebody's page, as far as an arena sees it.
  defp page(code, id) do
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

  defp room(code) do
    {:ok, room} = Arena.room(code)
    room
  end

  defp playing!(ids \\ ["ann", "bob"]) do
    game = add!()
    code = arena!(ids)
    pages = for id <- ids, do: page(code, id)
    {:ok, _} = Arena.select(code, hd(ids), game.id)
    {:ok, _} = Arena.start_round(code, hd(ids))
    eventually(fn -> room(code).phase == :playing end)
    {code, pages}
  end

  defp count!(code, times \\ 1) do
    for _ <- 1..times do
      input = %{"player_id" => "ANN", "event_name" => "count", "value" => %{}}
      {:ok, answer} = Vitrine.call(Round.name(room(code)), "handle_event", input, as: :json)
      answer["version"]
    end
    |> List.last()
  end

  defp shown(code) do
    {:ok, html} = Vitrine.call(Round.name(room(code)), "render", "{}")
    [_, n] = Regex.run(~r|<p id="n">(\d)</p>|, html)
    String.to_integer(n)
  end

  describe "an arena" do
    test "is gone with its round when the last one has left, and nothing is left of it" do
      {code, pages} = playing!()
      server = GenServer.whereis(Round.name(room(code)))
      for page <- pages, do: Process.exit(page, :kill)
      eventually(fn -> Arena.room(code) == {:error, :no_such_arena} end)
      refute Process.alive?(server)
      assert Saved.load(code) == :error
      assert Arena.find(code) == {:error, :no_such_arena}
    end

    test "waits for one who comes back" do
      {code, pages} = playing!()
      for page <- pages, do: Process.exit(page, :kill)
      Process.sleep(50)
      page(code, "bob")
      Process.sleep(800)
      assert room(code).phase == :playing
      assert [%{name: "BOB"}] = GameBox.Arena.Room.online_players(room(code))
    end

    test "finds another host" do
      {code, [host, _]} = playing!()
      Process.exit(host, :kill)
      eventually(fn -> room(code).host == "bob" end)
    end
  end
end
