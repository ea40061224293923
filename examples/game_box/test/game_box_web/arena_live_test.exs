defmodule GameBoxWeb.ArenaLiveTest do
  use GameBoxWeb.ConnCase, async: true

  alias GameBox.{Arena, Round}

  @moduletag :capture_log

  defp open!(code, id, path \\ "") do
    {:ok, view, _html} = live(browser(id), "/arena/#{code}#{path}")
    view
  end

  # Two players and a spectator, during a round of the counter.
  defp playing! do
    game = add!()
    code = arena!(["ann", "bob"])
    [ann, bob] = for id <- ["ann", "bob"], do: open!(code, id)
    eve = open!(code, "eve", "/watch")
    ann |> element("button[phx-value-game='#{game.id}']") |> render_click()
    ann |> element("button", "Start the game") |> render_click()
    for view <- [ann, bob, eve], do: shows!(view, "n", "0")
    %{code: code, ann: ann, bob: bob, eve: eve}
  end

  # The counter's text, whatever its id is.
  defp shows!(view, what, text),
    do: eventually(fn -> render(view) =~ ~r|<p id="[^"]*#{what}">#{text}</p>| end)

  defp click(view, text), do: view |> element(".board button", text) |> render_click()

  describe "the home page" do
    test "starts an arena, and others join it or watch" do
      {:ok, home, _} = live(browser("ann"), "/")

      {:error, {:live_redirect, %{to: "/arena/" <> code = path}}} =
        home |> form("form[phx-submit=start]", name: "ann") |> render_submit()

      {:ok, ann, html} = live(browser("ann"), path)
      assert html =~ code
      {:ok, home, html} = live(browser("bob"), "/?arena=#{String.downcase(code)}")
      assert html =~ ~s(value="#{code}")

      {:error, {:live_redirect, %{to: ^path}}} =
        home |> form("form[phx-submit=join]", name: "bob", code: code) |> render_submit()

      {:ok, _bob, _} = live(browser("bob"), path)
      eventually(fn -> render(ann) =~ "BOB" end)

      {:ok, home, _} = live(browser("eve"), "/")

      {:error, {:live_redirect, %{to: watch}}} =
        home
        |> form("form[phx-submit=join]", code: code)
        |> render_submit(%{"as" => "watch"})

      assert watch == path <> "/watch"
    end

    test "says what is wrong" do
      code = arena!(["ann"])
      {:ok, home, _} = live(browser("bob"), "/")
      form = fn name, code -> form(home, "form[phx-submit=join]", name: name, code: code) end
      assert render_submit(form.("bob", "ZZZZ")) =~ "no arena with this code"
      assert render_submit(form.("ann", code)) =~ "has this name already"
      assert render_submit(form.("x", code)) =~ "2 to 12"
      assert home |> form("form[phx-submit=start]", name: "<b>") |> render_submit() =~ "2 to 12"
    end
  end

  describe "an arena" do
    test "asks people without a name for one, and sends away people with a wrong code" do
      code = arena!(["ann"])
      to = "/?arena=" <> code
      assert {:error, {:live_redirect, %{to: ^to}}} = live(browser("bob"), "/arena/#{code}")
      assert {:error, {:live_redirect, %{to: "/"}}} = live(browser("bob"), "/arena/zzzz")
    end

    test "shows who is there, and who has gone" do
      code = arena!(["ann", "bob"])
      ann = open!(code, "ann")
      bob = open!(code, "bob")
      eventually(fn -> not (render(ann) =~ "away") end)
      eve = open!(code, "eve", "/watch")
      eventually(fn -> render(ann) =~ "1 spectator" end)
      GenServer.stop(eve.pid)
      GenServer.stop(bob.pid)
      eventually(fn -> render(ann) =~ "away" and render(ann) =~ "0 spectators" end)
    end

    test "gives the host's buttons to the host alone, and takes its events from no other" do
      game = add!()
      code = arena!(["ann", "bob"])
      ann = open!(code, "ann")
      bob = open!(code, "bob")
      eve = open!(code, "eve", "/watch")
      assert has_element?(ann, "button[phx-click=select]")

      for view <- [bob, eve] do
        refute has_element?(view, "button[phx-click=select]")
        assert render_click(view, "select", %{"game" => game.id}) =~ "Only the host can do that."
      end

      render_click(ann, "select", %{"game" => game.id})
      for view <- [bob, eve], do: render_click(view, "start", %{})
      {:ok, room} = Arena.room(code)
      assert room.phase == :lobby
      render_click(ann, "start", %{})
      shows!(bob, "n", "0")
      for view <- [bob, eve], do: render_click(view, "finish", %{})
      shows!(bob, "n", "0")
      render_click(ann, "finish", %{})
      eventually(fn -> not has_element?(bob, ".board") end)
    end

    test "does not start with too few players, and says so" do
      game = add!()
      code = arena!(["ann"])
      ann = open!(code, "ann")
      render_click(ann, "select", %{"game" => game.id})
      assert has_element?(ann, "button:not([disabled])", "Start the game")
      GenServer.stop(ann.pid)
      eventually(fn -> Arena.start_round(code, "ann") == {:error, :too_few} end)
    end
  end

  describe "a round" do
    test "is seen by all, players and spectators" do
      %{ann: ann, bob: bob, eve: eve} = playing!()
      click(ann, "Count")
      for view <- [ann, bob, eve], do: shows!(view, "n", "1")
      click(bob, "Count")
      for view <- [ann, bob, eve], do: shows!(view, "n", "2")
      assert render(eve) =~ "You are watching."
      assert render(bob) =~ "You play as BOB."
    end

    test "of Life is a board of squares, each of which is pressed or not" do
      life = Enum.find(GameBox.Gallery.list(), &(&1.title == "Life"))
      code = arena!(["ann"])
      ann = open!(code, "ann")
      ann |> element("button[phx-value-game='#{life.id}']") |> render_click()
      ann |> element("button", "Start the game") |> render_click()

      # GameBox's own classes keep their names.
      eventually(fn -> has_element?(ann, ".board .game-grid") end)
      assert has_element?(ann, ".board .game-button", "Run")
      refute has_element?(ann, ".board [class*=board--]")
      style = File.read!(Application.app_dir(:game_box, "priv/static/app.css"))
      for class <- GameBox.Game.html_options()[:classes], do: assert(style =~ ".#{class} {")

      cell = ".game-grid > :nth-child(20) > button[title='row 20, column 20']"
      assert has_element?(ann, cell <> "[aria-pressed=false]")
      ann |> element(cell) |> render_click()
      eventually(fn -> has_element?(ann, cell <> "[aria-pressed=true]") end)
    end

    test "goes on after a trap, a loop and a refusal, which are told to the one who caused them" do
      %{ann: ann, bob: bob} = playing!()
      click(ann, "Count")
      shows!(bob, "n", "1")

      for {button, text} <- [
            {"Trap", "That did not work."},
            {"Loop", "That took too long"},
            {"Refuse", "not now"}
          ] do
        click(ann, button)
        eventually(fn -> render(ann) =~ text end)
        refute render(bob) =~ text
        shows!(ann, "n", "1")
      end

      click(bob, "Count")
      shows!(ann, "n", "2")
    end

    test "does not wait for one who loops" do
      %{ann: ann, bob: bob} = playing!()
      click(ann, "Loop")
      # The page still answers.
      assert render_click(bob, "copied", %{}) =~ "copied"
      eventually(fn -> render(ann) =~ ~s(aria-busy="true") end)
      eventually(fn -> not (render(ann) =~ ~s(aria-busy="true")) end)
      click(bob, "Count")
      shows!(ann, "n", "1")
    end

    test "is there again for one who reconnects" do
      %{code: code, ann: ann, bob: bob} = playing!()
      click(ann, "Count")
      shows!(bob, "n", "1")
      GenServer.stop(bob.pid)
      bob = open!(code, "bob")
      shows!(bob, "n", "1")
      click(bob, "Count")
      shows!(ann, "n", "2")
    end

    test "is there again when its server was killed" do
      %{code: code, ann: ann, bob: bob} = playing!()
      click(ann, "Count")
      shows!(bob, "n", "1")
      {:ok, room} = Arena.room(code)
      server = GenServer.whereis(Round.name(room))
      Process.exit(server, :kill)
      eventually(fn -> GenServer.whereis(Round.name(room)) not in [nil, server] end)
      for view <- [ann, bob], do: shows!(view, "n", "1")
      click(ann, "Count")
      for view <- [ann, bob], do: shows!(view, "n", "2")
    end

    test "goes on when the arena's process was killed" do
      %{code: code, ann: ann, bob: bob, eve: eve} = playing!()
      arena = GenServer.whereis(GameBox.Arena.Server.name(code))
      Process.exit(arena, :kill)
      eventually(fn -> GenServer.whereis(GameBox.Arena.Server.name(code)) not in [nil, arena] end)
      click(ann, "Count")
      for view <- [ann, bob, eve], do: shows!(view, "n", "1")
      eventually(fn -> render(ann) =~ "1 spectator" and not (render(ann) =~ "away") end)
    end

    test "is only watched by people who join in the middle of it" do
      %{code: code} = playing!()
      {:ok, _} = Arena.join(code, "cem", "cem")
      cem = open!(code, "cem")
      assert render(cem) =~ "You are watching."
    end
  end

  describe "an upload" do
    test "is checked, can be tried, and comes into the gallery" do
      {:ok, view, _} = live(browser("ann"), "/games/new")
      {:ok, gallery, _} = live(browser("bob"), "/games")
      bytes = counter("uploaded here")

      file =
        file_input(view, "#upload", :game, [
          %{name: "counter.wasm", content: bytes, type: "application/wasm"}
        ])

      render_upload(file, "counter.wasm")
      eventually(fn -> has_element?(view, "#preview .board button, #preview button", "Count") end)
      view |> element("#preview button", "Count") |> render_click()
      shows!(view, "n", "1")

      {:error, {:live_redirect, %{to: "/games"}}} =
        view |> form("#upload", title: "Uploaded here", description: "A test") |> render_submit()

      eventually(fn -> render(gallery) =~ "Uploaded here" end)
      refute has_element?(gallery, "button", "Delete")
      {:ok, mine, _} = live(browser("ann"), "/games")
      mine |> element("article:has(h3) button[phx-click=delete]") |> render_click()
      eventually(fn -> not (render(gallery) =~ "Uploaded here") end)
    end

    test "that is not a game is refused with the reason" do
      {:ok, view, _} = live(browser("ann"), "/games/new")

      file =
        file_input(view, "#upload", :game, [
          %{name: "no.wasm", content: "(module)", type: "application/wasm"}
        ])

      render_upload(file, "no.wasm")
      eventually(fn -> render(view) =~ "lacks the plugin functions" end)
      refute has_element?(view, "#title")
    end
  end
end
