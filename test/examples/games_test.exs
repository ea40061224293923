defmodule Vitrine.Examples.GamesTest do
  # The games of examples/game_box, played as its arenas play them.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  @games Path.expand("../../examples/game_box/games", __DIR__)

  # Limits of an arena. Much time: what is tested is not the timeout, and machines are busy.
  @options [memory: [max_pages: 64], timeout: 60_000]

  setup_all do
    games =
      for name <- ~w(tic_tac_toe quiz life), into: %{} do
        assert {:ok, compiled} = Vitrine.compile("#{@games}/#{name}/#{name}.wasm", @options)
        {name, compiled}
      end

    %{games: games}
  end

  setup %{games: games} do
    Process.put(:games, games)
    :ok
  end

  defp unstarted!(name), do: new!(Process.get(:games)[name])

  defp game!(name, players, names \\ []) do
    plugin = unstarted!(name)
    start = %{player_ids: players, player_names: names}
    assert {:ok, %{"version" => 0}} = Vitrine.call(plugin, "init_game", start, as: :json)
    plugin
  end

  defp event(plugin, player, name, value \\ %{}) do
    event = %{player_id: player, event_name: name, value: value}

    case Vitrine.call(plugin, "handle_event", event, as: :json) do
      {:ok, %{"version" => version}} -> {:ok, version}
      {:error, %{reason: :guest_error, message: message}} -> {:error, message}
    end
  end

  defp render(plugin, player) do
    assert {:ok, html} =
             Vitrine.call(plugin, "render", %{player_id: player}, as: {:json, :string})

    html
  end

  defp count(html, text), do: length(String.split(html, text)) - 1

  # Throws the instance away, as a trap does.
  defp crash(plugin), do: assert(:ok = Vitrine.reset(plugin))

  defp shape(html),
    do: html |> String.replace(~r/"[^"]*"/, "") |> String.replace(~r/>[^<]*</, "><")

  describe "all games" do
    for name <- ~w(tic_tac_toe quiz life) do
      test "#{name} says its title and its number of players" do
        plugin = unstarted!(unquote(name))
        assert {:ok, description} = Vitrine.call(plugin, "describe", "", as: {:raw, :json})
        assert %{"title" => <<_, _::binary>>, "description" => <<_, _::binary>>} = description
        assert {:ok, players} = Vitrine.call(plugin, "get_constraints", "", as: {:raw, :json})
        assert players["min_players"] in 1..players["max_players"]
      end

      test "#{name} is refused before it begins, and bad input leaves it as it is" do
        plugin = unstarted!(unquote(name))

        for function <- ~w(render handle_event),
            do: assert({:error, _} = Vitrine.call(plugin, function, "{}"))

        plugin = game!(unquote(name), ["a", "b"])
        before = render(plugin, "a")

        for function <- ~w(handle_event render init_game),
            input <- [
              "",
              "{",
              "[]",
              "nonsense",
              ~s({"player_id":1}),
              ~s({"player_ids":[]}),
              "\xFF"
            ] do
          assert {function, input, result} =
                   {function, input, Vitrine.call(plugin, function, input)}

          # Some games render for a spectator if the viewer is not valid.
          if function != "render", do: assert({:error, _} = result, inspect({function, input}))
        end

        assert render(plugin, "a") == before
      end

      test "#{name} shows names as text, not as HTML" do
        plugin = game!(unquote(name), ["a", "b"], ["<b>Ann</b>", "Bo\"b & 'Co' 🙂"])
        html = render(plugin, nil)
        refute html =~ "<b>"
        if unquote(name) != "life", do: assert(html =~ "&lt;b&gt;Ann&lt;/b&gt;")
        if unquote(name) != "life", do: assert(html =~ "Bo&quot;b &amp; &#39;Co&#39; 🙂")
      end

      test "#{name} gives spectators nothing to click" do
        plugin = game!(unquote(name), ["a", "b"])

        for spectator <- [nil, "", "stranger"] do
          html = render(plugin, spectator)
          refute html =~ "phx-click"
          assert {:error, "you are watching"} = event(plugin, spectator, "reset-game")
        end

        assert render(plugin, "a") =~ "phx-click"
      end
    end
  end

  describe "tic-tac-toe" do
    defp play(plugin, moves) do
      for {player, cell} <- moves,
          do: event(plugin, player, "cell-clicked", %{cell: to_string(cell)})
    end

    test "is won by three in a row" do
      plugin = game!("tic_tac_toe", ["a", "b"], ["Ann", "Bob"])
      assert render(plugin, "a") =~ "It is your turn: ✕"
      assert render(plugin, "b") =~ "It is Ann&#39;s turn"
      assert play(plugin, a: 0, b: 3, a: 1, b: 4, a: 2) |> List.last() == {:ok, 5}
      assert render(plugin, "a") =~ "You have won!"
      assert render(plugin, "b") =~ "Ann has won."
      assert render(plugin, nil) =~ "Ann has won."
      assert render(plugin, nil) |> count("background:#fde68a") == 3
      assert event(plugin, "b", "cell-clicked", %{cell: "8"}) == {:error, "the game is over"}
    end

    defp event_names(html),
      do: Regex.scan(~r/phx-click="(.*?)"/, html, capture: :all_but_first) |> List.flatten()

    test "refuses moves out of turn, on taken cells and off the board, and stays as it was" do
      plugin = game!("tic_tac_toe", ["a", "b"])
      assert event(plugin, "b", "cell-clicked", %{cell: "0"}) == {:error, "it is not your turn"}
      assert event(plugin, "a", "cell-clicked", %{cell: "4"}) == {:ok, 1}
      assert event(plugin, "a", "cell-clicked", %{cell: "5"}) == {:error, "it is not your turn"}
      assert event(plugin, "b", "cell-clicked", %{cell: "4"}) == {:error, "that cell is taken"}

      for cell <- ["9", "-1", "x", "", 4, nil, ["1"]],
          do:
            assert(
              {:error, "there is no such cell"} =
                event(plugin, "b", "cell-clicked", %{cell: cell})
            )

      assert {:error, "there is no event" <> _} = event(plugin, "b", "start_game")
      assert event(plugin, "b", "reset-game") == {:error, "the game is not over yet"}
      assert event(plugin, "b", "cell-clicked", %{cell: "0"}) == {:ok, 2}
      html = render(plugin, "a")
      assert {count(html, ">✕</button>"), count(html, ">◯</button>")} == {1, 1}
      assert Enum.uniq(event_names(html)) == ["cell-clicked", "reset-game"]
    end

    test "can be drawn, and played again by the player who did not begin" do
      plugin = game!("tic_tac_toe", ["a", "b"])
      play(plugin, a: 0, b: 1, a: 2, b: 4, a: 3, b: 5, a: 7, b: 6, a: 8)
      assert render(plugin, "a") =~ "A draw."
      assert event(plugin, "b", "reset-game") == {:ok, 10}
      assert event(plugin, "a", "cell-clicked", %{cell: "0"}) == {:error, "it is not your turn"}
      assert event(plugin, "b", "cell-clicked", %{cell: "0"}) == {:ok, 11}
    end

    test "is played by two and no more" do
      plugin = game!("tic_tac_toe", ["a", "b"])
      assert {:error, error} = Vitrine.call(plugin, "init_game", %{player_ids: ["a"]}, as: :json)
      assert error.message =~ "two players"
      assert render(plugin, "a") =~ "your turn"
    end

    test "goes on after a crash" do
      plugin = game!("tic_tac_toe", ["a", "b"])
      play(plugin, a: 0, b: 1)
      crash(plugin)
      assert event(plugin, "a", "cell-clicked", %{cell: "2"}) == {:ok, 3}
      assert render(plugin, "b") |> count(">✕</button>") == 2
    end

    test "has pages of one shape, so that a move sends its texts alone" do
      plugin = game!("tic_tac_toe", ["a", "b"])
      first = render(plugin, "a")
      play(plugin, a: 0, b: 3, a: 1, b: 4, a: 2)
      assert shape(render(plugin, "a")) == shape(first)
    end
  end

  describe "the quiz" do
    @five ["a", "b", "c", "d", "e"]

    # The right answers' indices, as the page shows the answers in the order of the alphabet.
    @right [2, 2, 2, 0, 3, 1, 1, 0]

    defp answer(plugin, player, question, index),
      do:
        event(plugin, player, "answer-prompt", %{
          idx: to_string(index),
          question: to_string(question)
        })

    defp go(plugin, player, event, question),
      do: event(plugin, player, event, %{question: to_string(question)})

    # Players and points, from the top of the scoreboard.
    defp scores(html) do
      for [_, name, points] <- Regex.scan(~r{<td[^>]*>([^<]*)</td><td[^>]*>(\d+)</td>}, html),
          do: {name, String.to_integer(points)}
    end

    test "is played by five to its end" do
      plugin = game!("quiz", @five, ["Ann", "Bob", "Cid", "Dora", "Eve"])
      assert length(scores(render(plugin, "a"))) == 5

      for {right, question} <- Enum.with_index(@right) do
        assert render(plugin, "a") =~ "Question #{question + 1} of 8"
        # Bob is right first, Ann too, Cid sometimes; the others are wrong.
        for {player, index} <- [
              {"b", right},
              {"a", right},
              {"d", rem(right + 1, 4)},
              {"e", rem(right + 2, 4)}
            ] do
          assert {:ok, _} = answer(plugin, player, question, index)
        end

        before = render(plugin, "b")
        assert before =~ "4 of 5 have answered."
        refute before =~ "✓"
        cid = if rem(question, 2) == 0, do: right, else: rem(right + 1, 4)
        assert {:ok, _} = answer(plugin, "c", question, cid)
        assert render(plugin, "b") =~ "That is right!"
        assert render(plugin, "d") =~ "No, it is"
        assert render(plugin, nil) =~ "✓"
        assert {:ok, _} = go(plugin, "e", "next-question", question)
      end

      html = render(plugin, "a")
      assert html =~ "The quiz is over"
      assert html =~ "The winner is Bob."
      assert scores(html) == [{"Bob", 1200}, {"Ann", 800}, {"Cid", 400}, {"Dora", 0}, {"Eve", 0}]
      assert {:error, "the game is over"} = answer(plugin, "a", 8, 0)

      assert {:ok, _} = event(plugin, "c", "play-again")
      assert render(plugin, "a") =~ "Question 1 of 8"
      assert scores(render(plugin, "a")) |> Enum.all?(&match?({_, 0}, &1))
    end

    test "takes one answer of each, and not for another question" do
      plugin = game!("quiz", ["a", "b"])
      assert {:ok, 1} = answer(plugin, "a", 0, 1)
      assert answer(plugin, "a", 0, 0) == {:error, "you have answered"}

      for index <- [4, -1, "x", "99999999999", ""],
          do: assert(answer(plugin, "b", 0, index) == {:error, "there is no such answer"})

      assert answer(plugin, "b", 1, 0) == {:error, "that was another question"}
      assert event(plugin, "b", "answer-prompt", nil) == {:error, "that was another question"}
      assert go(plugin, "b", "next-question", 0) == {:error, "not everybody has answered"}
      assert go(plugin, "b", "reveal", 0) == {:error, "answer first"}
      assert event(plugin, "b", "play-again") == {:error, "the game is not over yet"}

      # A player who answers after the question is shown no points, and two clicks on "next" go one question further.
      assert {:ok, 2} = go(plugin, "a", "reveal", 0)
      assert answer(plugin, "b", 0, 0) == {:error, "the answer is known already"}
      assert {:ok, 3} = go(plugin, "a", "next-question", 0)
      assert go(plugin, "b", "next-question", 0) == {:error, "that was another question"}
    end

    test "tells nobody what others have answered, nor points, before all have" do
      plugin = game!("quiz", ["a", "b"])
      spectator = render(plugin, nil)
      answer(plugin, "a", 0, 0)
      assert render(plugin, nil) == String.replace(spectator, "0 of 2 have", "1 of 2 have")
      assert render(plugin, "a") =~ "your answer"
      refute render(plugin, "b") =~ "your answer"
    end

    test "goes on after a crash" do
      plugin = game!("quiz", ["a", "b"], ["Ann 🙂", "\"Bob\\"])
      answer(plugin, "a", 0, 2)
      answer(plugin, "b", 0, 1)
      before = render(plugin, "a")
      crash(plugin)
      assert render(plugin, "a") == before
      assert scores(before) == [{"Ann 🙂", 150}, {"&quot;Bob\\", 0}]
    end

    test "takes twenty, and no more" do
      many = Enum.map(1..20, &"player #{&1}")
      assert game!("quiz", many) |> render(nil) |> scores() |> length() == 20
      plugin = game!("quiz", many)

      assert {:error, _} =
               Vitrine.call(plugin, "init_game", %{player_ids: many ++ ["more"]}, as: :json)
    end
  end

  describe "Life" do
    # Rows and columns of what is alive.
    defp alive(html) do
      for [_, row, column] <-
            Regex.scan(~r/title="row (\d+), column (\d+)" aria-pressed="true"/, html),
          into: MapSet.new(),
          do: {String.to_integer(row), String.to_integer(column)}
    end

    defp moved(cells, by),
      do:
        MapSet.new(cells, fn {row, column} ->
          {rem(row + by - 1, 20) + 1, rem(column + by - 1, 20) + 1}
        end)

    defp tick(plugin) do
      assert {:ok, %{"version" => version}} = Vitrine.call(plugin, "tick", "", as: {:raw, :json})
      version
    end

    test "has a glider, which goes round the board" do
      plugin = game!("life", ["a"])
      glider = plugin |> render("a") |> alive()
      assert glider == MapSet.new([{1, 2}, {2, 3}, {3, 1}, {3, 2}, {3, 3}])
      assert {:ok, _} = event(plugin, "a", "run")
      for _ <- 1..4, do: tick(plugin)
      assert plugin |> render("a") |> alive() == moved(glider, 1)
      for _ <- 1..76, do: tick(plugin)
      assert plugin |> render("a") |> alive() == glider
      assert render(plugin, nil) =~ "Generation 80"
    end

    test "stands still until it runs, at one version" do
      plugin = game!("life", ["a"])
      assert {tick(plugin), tick(plugin)} == {0, 0}
      assert {:ok, 1} = event(plugin, "a", "run")
      assert render(plugin, "a") =~ ">Pause<"
      assert {tick(plugin), tick(plugin)} == {2, 3}
      assert {:ok, 4} = event(plugin, "a", "run")
      assert tick(plugin) == 4
    end

    test "is drawn on by eight at the same time" do
      players = Enum.map(1..8, &"p#{&1}")
      plugin = game!("life", players)
      event(plugin, "p1", "clear")

      for {player, cell} <- Enum.zip(players, [0, 19, 380, 399, 50, 51, 52, 210]),
          do: event(plugin, player, "toggle", %{cell: to_string(cell)})

      assert MapSet.size(alive(render(plugin, nil))) == 8

      assert MapSet.subset?(
               MapSet.new([{1, 1}, {1, 20}, {20, 1}, {20, 20}]),
               alive(render(plugin, nil))
             )

      event(plugin, "p2", "toggle", %{cell: "0"})
      # A blinker.
      event(plugin, "p3", "step")

      assert alive(render(plugin, nil)) |> Enum.filter(fn {row, _} -> row in 2..4 end) == [
               {2, 12},
               {3, 12},
               {4, 12}
             ]

      for cell <- ["400", "-1", "x", "", 7, nil, "00000"],
          do:
            assert(
              {:error, "there is no such cell"} = event(plugin, "p1", "toggle", %{cell: cell})
            )

      assert {:error, "there is no such event"} = event(plugin, "p1", "select_game")

      assert {:error, _} =
               Vitrine.call(plugin, "init_game", %{player_ids: players ++ ["p9"]}, as: :json)
    end

    test "reads JSON as it comes" do
      plugin = game!("life", ["a,\"b]}"])

      spaced =
        ~s( { "value" : { "x":[1,{"cell":"9"}], "cell" : "399" } , "event_name" : "toggle", "player_id":"a,\\"b]}" } )

      assert {:ok, ~s({"version":1})} = Vitrine.call(plugin, "handle_event", spaced)
      assert MapSet.member?(alive(render(plugin, nil)), {20, 20})
      long = %{player_id: "a", event_name: String.duplicate("x", 100_000)}

      assert {:error, %{reason: :guest_error}} =
               Vitrine.call(plugin, "handle_event", long, as: :json)
    end

    test "goes on after a crash" do
      plugin = game!("life", ["a"])
      event(plugin, "a", "scatter")
      before = render(plugin, "a")
      assert MapSet.size(alive(before)) in 50..250
      crash(plugin)
      assert render(plugin, "a") == before
    end

    test "has pages of one shape, so that a generation sends what has changed" do
      plugin = game!("life", ["a"])
      first = render(plugin, "a")
      event(plugin, "a", "scatter")
      assert shape(render(plugin, "a")) == shape(first)
    end
  end
end
