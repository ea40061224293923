defmodule GameBox.Arena.RoomTest do
  use ExUnit.Case, async: true

  alias GameBox.Arena.Room
  alias GameBox.Game

  @game %Game{id: "g", path: "g.wasm", title: "G", min_players: 2, max_players: 2}

  defp room(ids) do
    Enum.reduce(ids, %Room{code: "BCDF"}, fn id, room ->
      {:ok, room} = Room.join(room, id, "name #{id}")
      Room.online(room, id, true)
    end)
  end

  defp playing(ids) do
    {:ok, room} = Room.select(room(ids), "a", @game)
    {:ok, room} = Room.start(room, "a")
    Room.started(room, true)
  end

  describe "join/3" do
    test "makes the first one host" do
      assert room(~w(a b)).host == "a"
    end

    test "refuses names that are taken, too short, too long, or no names" do
      room = room(~w(a))
      assert Room.join(room, "b", " NAME A ") == {:error, :name_taken}

      for name <- ["", "x", "more than twelve", "<b>ann</b>", " .ann", "a\nb", nil, 1] do
        assert Room.join(room, "b", name) == {:error, :bad_name}, inspect(name)
      end
    end

    test "lets a player back in, by another name if nothing is played" do
      {:ok, room} = Room.join(room(~w(a b)), "a", "ann")
      assert Room.name_of(room, "a") == "ANN"
      assert room.host == "a"
      {:ok, room} = Room.join(playing(~w(a b)), "a", "ann")
      assert Room.name_of(room, "a") == "NAME A"
    end

    test "is possible for as many as there is room for; the gone make room" do
      ids = for n <- 1..32, do: "p#{n}"
      room = room(ids)
      assert Room.join(room, "late", "late") == {:error, :full}
      room = Room.online(room, "p7", false)
      assert {:ok, room} = Room.join(room, "late", "late")
      assert Room.name_of(room, "p7") == nil
    end

    test "does not take the place of one who plays and is away" do
      room = Room.online(playing(~w(a b)), "b", false)
      assert Room.join(room, "c", "name b") == {:error, :name_taken}
      {:ok, room} = Room.join(room, "c", "cem")
      assert Room.missing(room) == ["NAME B"]
      assert Room.viewer(room, "c") == nil
      assert Room.viewer(Room.online(room, "b", true), "b") == "NAME B"
    end
  end

  describe "rights" do
    test "are the host's alone" do
      room = room(~w(a b))

      for by <- ["b", "stranger", nil] do
        assert Room.select(room, by, @game) == {:error, :not_host}
        assert Room.start(room, by) == {:error, :not_host}
        assert Room.finish(playing(~w(a b)), by) == {:error, :not_host}
      end

      assert Room.select(%Room{code: "BCDF"}, nil, @game) == {:error, :not_host}
    end

    test "go to the one who came next when the host is gone, and no sooner" do
      room = room(~w(a b c))
      assert Room.replace_host(room).host == "a"
      room = Room.online(room, "a", false)
      assert Room.replace_host(room).host == "b"
      alone = room |> Room.online("b", false) |> Room.online("c", false)
      assert Room.replace_host(alone).host == "a"
    end
  end

  describe "start/2" do
    test "takes as many as the game does, in the order they came" do
      room = playing(~w(a b c))
      assert room.round.players == ["NAME A", "NAME B"]
      assert Room.viewer(room, "c") == nil
    end

    test "needs a game and enough players who are there" do
      room = room(~w(a b))
      assert Room.start(room, "a") == {:error, :no_game}
      {:ok, room} = Room.select(room, "a", @game)
      assert Room.start(Room.online(room, "b", false), "a") == {:error, :too_few}
    end

    test "is not possible in the middle of a round, nor is another choice" do
      room = playing(~w(a b))
      assert Room.start(room, "a") == {:error, :playing}
      assert Room.select(room, "a", nil) == {:error, :playing}
    end
  end

  describe "finish/2" do
    test "keeps the game, and each round has a number of its own" do
      {:ok, room} = Room.finish(playing(~w(a b)), "a")
      assert {room.phase, room.game, room.round} == {:lobby, @game, nil}
      assert Room.finish(room, "a") == {:error, :not_playing}
      {:ok, room} = Room.start(room, "a")
      assert room.round.number == 2
    end
  end

  test "a game that did not start leaves its lobby" do
    {:ok, room} = Room.select(room(~w(a b)), "a", @game)
    {:ok, room} = Room.start(room, "a")
    room = Room.started(room, false)
    assert {room.phase, room.round, room.game} == {:lobby, nil, @game}
  end
end
