defmodule GameBoxWeb.LiveViewTest do
  # Tests Vitrine.LiveView with the installed LiveView.
  use GameBoxWeb.ConnCase, async: true

  import GameBox.TestPlugins

  @moduletag :capture_log

  defmodule Page do
    use Phoenix.LiveView

    def mount(_params, %{"options" => options, "test" => test}, socket) do
      socket = assign(socket, mine: "untouched", flag: true, test: test)
      {:ok, Vitrine.LiveView.attach(socket, :board, options ++ [on_answer: &answered/2])}
    end

    defp answered(socket, answer) do
      send(socket.assigns.test, {:answer, answer})
      socket
    end

    def handle_event("flip", _params, socket), do: {:noreply, update(socket, :flag, &(not &1))}

    def handle_event("dispatch", params, socket),
      do: {:noreply, Vitrine.LiveView.dispatch(socket, :board, "uploaded", params)}

    def handle_event("detach", _params, socket),
      do: {:noreply, Vitrine.LiveView.detach(socket, :board)}

    def handle_event("own flash", _params, socket),
      do: {:noreply, Phoenix.LiveView.put_flash(socket, :error, "of the host")}

    def handle_event(event, params, socket) do
      send(socket.assigns.test, {:host_event, event, params})
      {:noreply, socket}
    end

    def handle_info(message, socket) do
      send(socket.assigns.test, {:host_info, message})
      {:noreply, socket}
    end

    def render(assigns) do
      ~H"""
      <div id="page">
        <p id="mine"><%= @mine %></p>
        <p id="flash"><%= Phoenix.Flash.get(@flash, :error) %></p>
        <p id="score"><%= @board && @board.answer["score"] %></p>
        <p id="status"><%= @board && @board.status %></p>
        <div :if={@flag} id="shown">
          <Vitrine.LiveView.plugin view={@board} id="board" pending="Wait <b>" failed="Broken" title={@mine} />
        </div>
      </div>
      """
    end
  end

  defmodule Whole do
    use Vitrine.LiveView

    @impl Vitrine.LiveView
    def plugin(_params, %{"options" => options}, _socket), do: {:ok, options}
  end

  # Stands for an application's `use MyAppWeb, :live_view`.
  defmodule Web do
    defmacro __using__(:live_view) do
      quote do
        use Phoenix.LiveView, layout: {GameBoxWeb.LiveViewTest.Web, :layout}
      end
    end

    use Phoenix.Component

    def layout(assigns) do
      ~H"""
      <main><p id="flash"><%= Phoenix.Flash.get(@flash, :error) %></p><%= @inner_content %></main>
      """
    end
  end

  defmodule Overridden do
    use Vitrine.LiveView

    @impl Vitrine.LiveView
    def plugin(_params, %{"options" => nil}, socket), do: {:error, push_navigate(socket, to: "/")}
    def plugin(_params, %{"options" => options}, _socket), do: {:ok, options}

    @impl Phoenix.LiveView
    def render(assigns) do
      ~H"""
      <h1>Mine</h1>
      <Vitrine.LiveView.plugin view={@vitrine} id="board" />
      """
    end
  end

  defmodule InLayout do
    use Web, :live_view
    use Vitrine.LiveView

    @impl Vitrine.LiveView
    def plugin(_params, %{"options" => options}, socket) do
      {:ok, [assigns: %{"mounted" => connected?(socket)}] ++ options}
    end
  end

  defmodule Two do
    use Phoenix.LiveView

    def mount(_params, %{"plugins" => [a, b]}, socket) do
      {:ok,
       socket
       |> Vitrine.LiveView.attach(:a, plugin: a)
       |> Vitrine.LiveView.attach(:b, plugin: b, namespace: "a")}
    end

    def render(assigns), do: ~H"<Vitrine.LiveView.plugin view={@a} />"
  end

  defp open!(options, page \\ Page) do
    session = %{"options" => options, "test" => self()}
    {:ok, view, html} = live_isolated(build_conn(), page, session: session)
    {view, html}
  end

  defp sees!(view, n),
    do: eventually(fn -> view |> element("#board b") |> render() =~ ">#{n}<" end)

  defp add(view), do: view |> element("#board button") |> render_click()

  describe "a view" do
    test "is in the first page, and follows each change" do
      plugin = counter!()
      {view, html} = open!(plugin: plugin, viewer: "ann")
      assert html =~ "ann sees"
      {other, _} = open!(plugin: plugin, viewer: "bob")

      for n <- 1..10 do
        add(Enum.random([view, other]))
        for page <- [view, other], do: sees!(page, n)
        assert has_element?(other, "#board em") == (rem(n, 3) == 2)
      end
    end

    test "is whole again after it was hidden and the plugin has changed" do
      plugin = counter!()
      {view, _} = open!(plugin: plugin, viewer: "ann")
      {other, _} = open!(plugin: plugin, viewer: "bob")
      render_click(view, "flip")
      refute has_element?(view, "#board")
      for _ <- 1..3, do: add(other)
      sees!(other, 3)
      render_click(view, "flip")
      sees!(view, 3)
      add(view)
      sees!(view, 4)
    end

    test "forgets what it has sent, if it is temporary, and shows the same" do
      plugin = counter!()
      {view, _} = open!(plugin: plugin, temporary: true)

      for n <- 1..4 do
        add(view)
        sees!(view, n)
      end
    end

    test "can be a whole page" do
      plugin = counter!()
      {view, html} = open!([plugin: plugin, viewer: "ann"], Whole)
      assert html =~ "ann sees"
      view |> element("button") |> render_click()
      eventually(fn -> render(view) =~ ~r/<b[^>]*>1</ end)
    end

    test "that is a whole page says that there is nothing to show yet, or that it failed" do
      {view, html} = open!([plugin: {:global, "nobody is called that"}], Whole)
      assert html =~ "Loading …"
      assert has_element?(view, "#vitrine[data-status=pending]", "Loading …")

      broken = plugin!(fn _ -> raise "broken" end)
      element = [failed: "Out of <order>", class: "board", id: "own"]
      {view, _html} = open!([plugin: broken, element: element], Whole)
      eventually(fn -> has_element?(view, "#own.vitrine.board", "Out of <order>") end)
      # No layout shows it.
      assert has_element?(view, ".vitrine-messages button", "That did not work.")
      view |> element(".vitrine-messages button") |> render_click()
      refute has_element?(view, ".vitrine-messages button")
    end

    test "that is a whole page has LiveView's imports, alone and in a layout of the application's" do
      plugin = counter!()
      {view, html} = open!([plugin: plugin], Overridden)
      assert html =~ "<h1>Mine</h1>"
      view |> element("#board button") |> render_click()
      eventually(fn -> has_element?(view, "#board b", "1") end)

      assert {:error, {:live_redirect, %{to: "/"}}} =
               live_isolated(build_conn(), Overridden, session: %{"options" => nil})

      refuses =
        plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn _ -> {:error, "no"} end)

      {view, html} = open!([plugin: refuses], InLayout)
      assert html =~ "<main>"
      view |> element("#vitrine button") |> render_click()
      eventually(fn -> has_element?(view, "#flash", "no") end)
      refute has_element?(view, ".vitrine-messages button")
    end

    test "cannot have the namespace of another plugin of the page" do
      assert_raise ArgumentError,
                   ~r/the option :namespace of :b to be another one than that of :a/,
                   fn ->
                     session = %{"plugins" => [counter!(), counter!()]}
                     live_isolated(build_conn(), Two, session: session)
                   end
    end

    test "shows a text while there is nothing else, escaped, and then what comes" do
      test = self()

      plugin =
        plugin!(fn _ ->
          send(test, {:rendering, self()})
          receive do: (:go -> "<p>here</p>")
        end)

      {view, html} = open!(plugin: plugin, patience: 1, slow_after: 10)
      assert html =~ "Wait &lt;b&gt;"
      eventually(fn -> has_element?(view, "#board[aria-busy]") end)
      assert_receive {:rendering, call}
      send(call, :go)
      eventually(fn -> has_element?(view, "#board p", "here") end)
      refute has_element?(view, "#board[aria-busy]")
    end

    test "is empty once it is detached" do
      {view, _} = open!(plugin: counter!())
      render_click(view, "detach")
      refute has_element?(view, "#board b")
    end
  end

  describe "events" do
    test "of the plugin's element are the plugin's, and the host's are the host's" do
      test = self()

      plugin =
        plugin!(
          fn _ -> ~s|<button phx-click="save" phx-value-x="1">Save</button>| end,
          fn input ->
            send(test, {:plugin, input})
            %{}
          end
        )

      {view, _} = open!(plugin: plugin, viewer: "ann")
      view |> element("#board button") |> render_click()
      assert_receive {:plugin, %{"event_name" => "save", "player_id" => "ann"} = input}
      assert input["value"]["x"] == "1"
      refute_receive {:host_event, _, _}, 50
      render_click(view, "save")
      assert_receive {:host_event, "save", _}
      # An event of neither an attached plugin nor the host.
      render_click(view, "vitrine:other:save")
      render_click(view, "vitrine:nonsense")
      refute_receive {:host_event, _, _}, 50
      refute_received {:plugin, _}
    end

    test "can come from the host" do
      test = self()

      plugin =
        plugin!(fn _ -> "<p></p>" end, fn arg ->
          send(test, {:plugin, arg})
          %{}
        end)

      {view, _} = open!(plugin: plugin)
      render_click(view, "dispatch", %{"path" => "a.png"})
      assert_receive {:plugin, %{"event_name" => "uploaded", "value" => %{"path" => "a.png"}}}
    end
  end

  describe "an answer" do
    test "leaves the plugin by the chosen keys, and touches no assign" do
      answer = %{"score" => 7, "mine" => "taken", "flag" => false, "board" => nil, "secret" => 1}
      plugin = plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn _ -> answer end)
      {view, _} = open!(plugin: plugin, take: ["score"])
      view |> element("#board button") |> render_click()
      assert_receive {:answer, %{"score" => 7} = taken}
      assert map_size(taken) == 1
      eventually(fn -> view |> element("#score") |> render() =~ "7" end)
      assert view |> element("#mine") |> render() =~ "untouched"
    end
  end

  describe "an error" do
    test "of an event is a flash, and the view stays" do
      plugin =
        plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn _ ->
          {:error, "not <b>now</b>"}
        end)

      {view, _} = open!(plugin: plugin)
      view |> element("#board button") |> render_click()
      eventually(fn -> view |> element("#flash") |> render() =~ "not &lt;b&gt;now" end)
      assert has_element?(view, "#board button")
    end

    test "that is a refusal goes away with the next event, with an answer, and by itself" do
      plugin =
        plugin!(fn _ -> ~s|<button phx-click="go" phx-value-x="1">Go</button>| end, fn
          %{"value" => %{"x" => "refuse" <> n}} -> {:error, "no " <> n}
          _event -> %{}
        end)

      {view, _} = open!(plugin: plugin, fade_after: 60_000)
      go = &(view |> element("#board button") |> render_click(%{"x" => &1}))
      shown? = fn text -> view |> element("#flash") |> render() =~ ">#{text}<" end

      go.("refuse 1")
      eventually(fn -> shown?.("no  1") end)
      go.("refuse 2")
      eventually(fn -> shown?.("no  2") end)
      go.("well")
      eventually(fn -> shown?.("") end)

      # A message of the host is not touched.
      go.("refuse 3")
      eventually(fn -> shown?.("no  3") end)
      render_click(view, "own flash")
      go.("well")
      assert_receive {:answer, _}
      assert_receive {:answer, _}
      assert shown?.("of the host")

      {view, _} = open!(plugin: plugin, fade_after: 50)
      view |> element("#board button") |> render_click(%{"x" => "refuse 4"})
      eventually(fn -> view |> element("#flash") |> render() =~ "no  4" end)
      eventually(fn -> view |> element("#flash") |> render() =~ "></p>" end)
    end

    test "is a warning in the log that says in which view, unless it is a refusal" do
      plugin =
        plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn
          %{"value" => %{"x" => "break"}} -> raise "broken"
          _event -> {:error, "not now"}
        end)

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          {view, _} = open!(plugin: plugin)
          view |> element("#board button") |> render_click(%{"x" => "refuse"})
          eventually(fn -> view |> element("#flash") |> render() =~ "not now" end)
          view |> element("#board button") |> render_click(%{"x" => "break"})
          eventually(fn -> view |> element("#flash") |> render() =~ "That did not work." end)
        end)

      refute log =~ "not now"
      assert log =~ ~s([warning] GameBoxWeb.LiveViewTest.Page, "board": )
    end

    test "of a render keeps what was shown, until one works" do
      broken = :counters.new(1, [])

      plugin =
        plugin!(
          fn _ ->
            if :counters.get(broken, 1) == 1,
              do: raise("broken"),
              else: ~s|<b>0</b><button phx-click="go">Go</button>|
          end,
          fn _ ->
            :counters.put(broken, 1, 1 - :counters.get(broken, 1))
            %{}
          end
        )

      {view, _} = open!(plugin: plugin)
      view |> element("#board button") |> render_click()
      eventually(fn -> view |> element("#status") |> render() =~ "failed" end)
      assert view |> element("#flash") |> render() =~ "That did not work."
      sees!(view, 0)
      view |> element("#board button") |> render_click()
      eventually(fn -> view |> element("#status") |> render() =~ "ready" end)
    end

    test "of the first render says so" do
      {view, html} = open!(plugin: plugin!(fn _ -> raise "broken" end))
      assert html =~ "Broken" or has_element?(view, "#board", "Broken")
    end
  end

  test "the view survives the end of the hub" do
    plugin = counter!()
    {view, _} = open!(plugin: plugin)
    [{hub, _}] = Registry.lookup(Vitrine.LiveView.Registry, {plugin, nil, nil})
    Process.exit(hub, :kill)
    add(view)
    sees!(view, 1)
  end

  test "messages that are not for a plugin reach the host" do
    {view, _} = open!(plugin: counter!())
    send(view.pid, :hello)
    assert_receive {:host_info, :hello}
    send(view.pid, {:DOWN, make_ref(), :process, self(), :normal})
    assert_receive {:host_info, {:DOWN, _, :process, _, :normal}}
  end
end
