defmodule GameBoxWeb.ViewersTest do
  # This test counts all renders of this node.
  use GameBoxWeb.ConnCase, async: false

  alias GameBox.Arena

  @moduletag :capture_log

  test "30 viewers of one arena cause one render for each version and class" do
    renders = :counters.new(1, [])

    count = fn _, _, %{function: name}, _ ->
      if name == "render", do: :counters.add(renders, 1, 1)
    end

    :telemetry.attach("viewers", [:vitrine, :call, :stop], count, nil)
    on_exit(fn -> :telemetry.detach("viewers") end)

    game = add!()
    code = arena!(["ann", "bob"])
    {:ok, ann, _} = live(browser("ann"), "/arena/#{code}")
    {:ok, bob, _} = live(browser("bob"), "/arena/#{code}")

    spectators =
      for n <- 1..28 do
        {:ok, view, _} = live(browser("spectator #{n}"), "/arena/#{code}/watch")
        view
      end

    :counters.put(renders, 1, 0)
    render_click(ann, "select", %{"game" => game.id})
    {:ok, _} = Arena.start_round(code, "ann")
    everybody = [ann, bob | spectators]
    shown = fn view, n -> render(view) =~ ~r|<p id="[^"]*n">#{n}</p>| end
    for view <- everybody, do: eventually(fn -> shown.(view, 0) end)
    # Ann's render, Bob's, and one for all spectators.
    assert :counters.get(renders, 1) == 3

    for n <- 1..3 do
      ann |> element(".board button", "Count") |> render_click()
      for view <- everybody, do: eventually(fn -> shown.(view, n) end)
      assert :counters.get(renders, 1) == 3 + 3 * n
    end
  end
end
