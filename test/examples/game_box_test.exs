# The parts of GameBox that need no Phoenix are tested here, too: its rules, and the check of an upload.
for file <- ~w(limits game arena/code arena/room gallery/check) do
  Code.require_file("../../examples/game_box/lib/game_box/#{file}.ex", __DIR__)
end

Code.require_file("../../examples/game_box/test/game_box/room_test.exs", __DIR__)

defmodule Vitrine.Examples.GameBoxTest do
  use ExUnit.Case, async: true

  alias GameBox.Arena.Code, as: ArenaCode
  alias GameBox.Gallery.Check

  describe "a room's code" do
    test "has four letters and is parsed back" do
      for _ <- 1..100 do
        code = ArenaCode.random()
        assert ArenaCode.parse(code) == {:ok, code}
      end
    end
  end

  describe "the games that come with GameBox" do
    for path <- Path.wildcard(Path.expand("../../examples/game_box/games/*/*.wasm", __DIR__)) do
      test "#{Path.basename(path)} is one that could be uploaded" do
        assert {:ok, found} = Check.run(File.read!(unquote(path)))
        assert found.title != nil
        assert found.min_players in 1..found.max_players
      end
    end
  end

  describe "an upload" do
    @tag :slow
    test "that fails when it is tried is refused, and does not run for long" do
      module = fn init ->
        ~s|(module (func (export "init_game") #{init}) (func (export "render")) (func (export "handle_event")))|
      end

      assert {:error, [reason]} = Check.run(module.("unreachable"))
      assert reason =~ "It fails when it is tried: it crashes in the function \"init_game\""
      assert {:error, [reason]} = Check.run(module.("(loop (br 0))"))
      assert reason =~ "it takes too long"
      assert {:ok, %{min_players: 2, max_players: 2, title: nil}} = Check.run(module.(""))
    end
  end
end
