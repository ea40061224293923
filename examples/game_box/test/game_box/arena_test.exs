defmodule GameBox.ArenaTest do
  use ExUnit.Case, async: true

  import GameBoxWeb.ConnCase
  import GameBox.Pages
  import GameBox.TestGames

  alias GameBox.{Arena, Gallery, Round}
  alias GameBox.Arena.Server
  alias GameBox.Gallery.Check

  @moduletag :capture_log

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

  describe "a round" do
    test "survives a trap, a loop and a refusal" do
      {code, _} = playing!()
      assert count!(code, 2) == 2

      for {word, reason} <- [{"trap", :trap}, {"loop", :timeout}, {"bad!", :guest_error}] do
        input = %{"player_id" => "ANN", "event_name" => word}

        {:error, error} =
          Vitrine.call(Round.name(room(code)), "handle_event", input, as: :json, timeout: 500)

        assert error.reason == reason
      end

      assert shown(code) == 2
      assert count!(code) == 3
    end

    test "survives the end of its server" do
      {code, _} = playing!()
      count!(code, 2)
      server = GenServer.whereis(Round.name(room(code)))
      # It has saved the variables of the last call.
      Vitrine.Server.info(server)
      Process.exit(server, :kill)

      eventually(fn ->
        GenServer.whereis(Round.name(room(code))) not in [nil, server]
      end)

      assert shown(code) == 2
    end

    test "survives the end of its arena's process" do
      {code, _} = playing!()
      count!(code, 2)
      arena = GenServer.whereis(Server.name(code))
      server = GenServer.whereis(Round.name(room(code)))
      Process.exit(arena, :kill)
      eventually(fn -> GenServer.whereis(Server.name(code)) not in [nil, arena] end)
      eventually(fn -> room(code).phase == :playing end)
      eventually(fn -> map_size(room(code).players) == 2 and room(code).players["bob"].online end)
      assert GenServer.whereis(Round.name(room(code))) == server
      assert shown(code) == 2
    end

    test "survives a restart of the node" do
      {code, pages} = playing!()
      count!(code, 3)
      arena = GenServer.whereis(Server.name(code))
      # The server has saved the variables of the last call.
      Vitrine.Server.info(GenServer.whereis(Round.name(room(code))))
      round = GenServer.whereis({:global, {Round, :supervisor, code, 1}})
      # A node that is stopped does the same.
      for page <- pages, do: Process.exit(page, :kill)
      DynamicSupervisor.terminate_child(GameBox.Arenas, arena)
      DynamicSupervisor.terminate_child(GameBox.Rounds, round)
      GameBox.Round.Store.forget({code, 1})
      assert Arena.find(code) == {:ok, code}
      eventually(fn -> room(code).phase == :playing end)
      assert shown(code) == 3
      assert room(code).host == "ann"
    end

    test "that cannot go on ends, and the arena does not" do
      {code, _} = playing!()
      Arena.look(code, nil)

      for _ <- 1..7 do
        with server when is_pid(server) <- GenServer.whereis(Round.name(room(code) |> numbered())) do
          Process.exit(server, :kill)
          Process.sleep(20)
        end
      end

      assert_receive {:arena_notice, "The game has broken down" <> _}, 5_000
      assert room(code).phase == :lobby
    end

    defp numbered(%{round: nil} = room), do: %{room | round: %{number: 1}}
    defp numbered(room), do: room
  end

  describe "an arena" do
    test "that nobody knows is not found" do
      for code <- ["BCDF", "abcd", "", nil, "../../etc", "BCDFG"] do
        assert Arena.find(code) == {:error, :no_such_arena}
      end
    end

    test "does not take a game that is not in the gallery" do
      code = arena!(["ann"])
      page(code, "ann")
      assert Arena.select(code, "ann", "nothing") == {:error, :no_game}
    end
  end

  describe "an upload" do
    test "that is not a module, too large, or not a game is refused with reasons" do
      large = :binary.copy(<<0>>, 8_388_609)

      for {bytes, reason} <- [
            {"", ~r/./},
            {"no wasm at all", ~r/./},
            {large, ~r/more than 8388608 bytes/},
            {"(module)", ~r/lacks the plugin functions/},
            {~S|(module (import "evil" "f" (func)) (func (export "init_game")) (func (export "render")) (func (export "handle_event")))|,
             ~r/evil/},
            {~S|(module (func (export "init_game") unreachable) (func (export "render")) (func (export "handle_event")))|,
             ~r/fails when it is tried/},
            {~S|(module (func (export "init_game") (loop (br 0))) (func (export "render")) (func (export "handle_event")))|,
             ~r/fails when it is tried/},
            {~S|(module (memory 513) (func (export "init_game")) (func (export "render")) (func (export "handle_event")))|,
             ~r/pages/}
          ] do
        assert {:error, reasons} = Check.run(bytes)
        assert Enum.join(reasons, "\n") =~ reason
      end
    end

    test "is in the gallery once, and its owner's to take out" do
      bytes = counter("only one")
      {:ok, found} = Check.run(bytes)
      assert {found.min_players, found.max_players, found.title} == {1, 3, "Counter"}
      assert {:error, "A game needs a title."} = Gallery.add(bytes, found, %{}, "ann")
      {:ok, game} = Gallery.add(bytes, found, %{"title" => " One "}, "ann")
      assert {game.title, game.owner} == {"One", "ann"}
      assert {:error, _already} = Gallery.add(bytes, found, %{"title" => "Two"}, "bob")
      assert Gallery.delete(game.id, "bob") == {:error, :not_owner}
      assert Gallery.delete(game.id, nil) == {:error, :not_owner}
      assert Gallery.delete(game.id, "ann") == :ok
      assert Gallery.fetch(game.id) == :error
      refute File.exists?(game.path)
    end

    test "is limited for each owner" do
      for n <- 1..10 do
        bytes = counter("many #{n}")
        {:ok, found} = Check.run(bytes)
        {:ok, _} = Gallery.add(bytes, found, %{"title" => "Many"}, "collector")
      end

      bytes = counter("one too many")
      {:ok, found} = Check.run(bytes)

      assert {:error, "You have as many" <> _} =
               Gallery.add(bytes, found, %{"title" => "No"}, "collector")
    end
  end
end
