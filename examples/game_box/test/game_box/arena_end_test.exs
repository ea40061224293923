defmodule GameBox.ArenaEndTest do
  # These tests have their own limits.
  use ExUnit.Case, async: false

  import GameBoxWeb.ConnCase
  import GameBox.Pages

  alias GameBox.{Arena, Round}
  alias GameBox.Arena.Saved

  setup do
    limits = Application.get_env(:game_box, :limits)
    Application.put_env(:game_box, :limits, empty_after_ms: 400, host_gone_after_ms: 200)
    on_exit(fn -> Application.put_env(:game_box, :limits, limits) end)
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
