defmodule GameBox.ClusterTest do
  use ExUnit.Case, async: false

  import GameBoxWeb.ConnCase
  import GameBox.TestGames

  alias GameBox.{Arena, Elsewhere, Round}

  @moduletag :capture_log
  @moduletag timeout: 120_000

  test "an arena is found, played in and seen from other nodes" do
    {_peer, node} = Elsewhere.start!()
    game = add!()
    code = arena!(["ann"])
    assert :erpc.call(node, Arena, :find, [String.downcase(code)]) == {:ok, code}
    assert {:ok, _} = :erpc.call(node, Arena, :join, [code, "bob", "bob"])
    assert {:error, :name_taken} = :erpc.call(node, Arena, :join, [code, "eve", "ann"])
    # The gallery belongs to the arena's node.
    assert game in :erpc.call(node, Arena, :games, [code])
    refute game in :erpc.call(node, GameBox.Gallery, :list, [])

    {:ok, _} = Arena.look(code, "ann")
    {:ok, _} = Arena.select(code, "ann", game.id)
    assert {:error, :not_host} = :erpc.call(node, Arena, :start_round, [code, "bob"])
    {:ok, _} = Arena.start_round(code, "ann")
    eventually(fn -> match?({:ok, %{phase: :playing}}, Arena.room(code)) end)

    :erpc.call(node, Elsewhere, :watch, [code, self()])
    assert_receive {:joined, _state, ^node}, 10_000
    {:ok, room} = Arena.room(code)

    for n <- 1..3 do
      # A call on this node, as a view would make it.
      input = %{"player_id" => "ANN", "event_name" => "count"}
      {:ok, answer} = Vitrine.call(Round.name(room), "handle_event", input, as: :json)

      Vitrine.LiveView.changed(Round.name(room),
        version: answer["version"],
        pubsub: GameBox.PubSub,
        topic: Round.topic(room)
      )

      assert_seen(~s(<p id="board--n">#{n}</p>))
    end

    # A call on the other node.
    input = %{"player_id" => "BOB", "event_name" => "count"}

    {:ok, %{"version" => 4}} =
      :erpc.call(node, Vitrine, :call, [Round.name(room), "handle_event", input, [as: :json]])
  end

  defp assert_seen(text) do
    assert_receive {:seen, html}, 10_000
    unless html =~ text, do: assert_seen(text)
  end
end
