defmodule GameBoxWeb.ComponentTest do
  # Tests Vitrine.LiveView.Component with the installed LiveView.
  use GameBoxWeb.ConnCase, async: true

  import GameBox.TestPlugins

  alias Vitrine.LiveView.{Component, ComponentProcess}

  @moduletag :capture_log

  # This page does not handle plugins. It has no handle_info, so a message would end it.
  defmodule Page do
    use Phoenix.LiveView

    def mount(_params, %{"chosen" => chosen}, socket),
      do: {:ok, assign(socket, chosen: chosen, components: Agent.get(chosen, & &1), clicks: 0)}

    def handle_event("own", _params, socket), do: {:noreply, update(socket, :clicks, &(&1 + 1))}

    def handle_event("show", _params, socket),
      do: {:noreply, assign(socket, components: Agent.get(socket.assigns.chosen, & &1))}

    def render(assigns) do
      ~H"""
      <div>
        <p id="clicks"><%= @clicks %></p>
        <p id="flash"><%= Phoenix.Flash.get(@flash, :error) %></p>
        <.live_component :for={component <- @components} {component} module={Component} />
      </div>
      """
    end
  end

  # The page gets its content from the test, because a session cannot contain functions.
  defp choose!(components) do
    components = Enum.map(components, &Map.new/1)
    start_supervised!({Agent, fn -> components end}, id: make_ref())
  end

  defp open!(components) do
    chosen = choose!(components)
    {:ok, view, html} = live_isolated(build_conn(), Page, session: %{"chosen" => chosen})
    Process.put(view.pid, chosen)
    {view, html}
  end

  # Changes the page as if it had done so by itself.
  defp show(view, components) do
    Agent.update(Process.get(view.pid), fn _ -> Enum.map(components, &Map.new/1) end)
    render_click(view, "show")
  end

  defp click(view, id), do: view |> element("##{id} .vitrine button") |> render_click()

  defp sees!(view, id, n),
    do: eventually(fn -> view |> element("##{id} b") |> render() =~ ">#{n}<" end)

  defp process(view, id) do
    %{socket: %{assigns: _}} = state = :sys.get_state(view.pid)
    {cids, _, _} = state.components

    Enum.find_value(cids, fn {_cid, {_module, of, _assigns, private, _}} ->
      if of == id, do: private.vitrine.process
    end)
  end

  test "several are in one page, each with its own events, renders and versions" do
    [one, two] = [counter!(), counter!()]

    {view, html} =
      open!([
        [id: "one", plugin: one, viewer: "ann"],
        [id: "two", plugin: two, viewer: "bob"],
        [id: "again", plugin: one, viewer: "eve"]
      ])

    assert html =~ "ann sees" and html =~ "bob sees" and html =~ "eve sees"
    click(view, "one")
    for id <- ["one", "again"], do: sees!(view, id, 1)
    sees!(view, "two", 0)
    click(view, "again")
    for id <- ["one", "again"], do: sees!(view, id, 2)
    click(view, "two")
    sees!(view, "two", 1)
    sees!(view, "one", 2)
    render_click(view, "own")
    assert view |> element("#clicks") |> render() =~ "1"
  end

  test "follows what other pages do" do
    plugin = counter!()
    pages = for _ <- 1..3, do: elem(open!([[id: "game", plugin: plugin, viewer: "all"]]), 0)

    for n <- 1..5 do
      pages |> Enum.random() |> click("game")
      for page <- pages, do: sees!(page, "game", n)
    end
  end

  test "hears by PubSub, also of what the host did" do
    plugin = counter!()
    options = [pubsub: GameBox.PubSub, topic: "component-#{System.unique_integer()}"]
    {view, _} = open!([[id: "game", plugin: plugin] ++ options])
    {:ok, _} = Vitrine.call(plugin, "handle_event", "{}")
    Vitrine.LiveView.changed(plugin, options)
    sees!(view, "game", 1)
  end

  test "has the attributes that it is given, and its own" do
    {view, _} = open!([[id: "game", plugin: counter!(), class: "card", title: "a <game>"]])

    assert has_element?(view, "#game.card[title='a <game>'][data-vitrine-component=game]")
    assert has_element?(view, "#game > .vitrine[data-vitrine=game][data-status=ready]")
  end

  test "may have any id" do
    {view, _} = open!([[id: "Game 1/2", plugin: counter!()]])
    view |> element(".vitrine button") |> render_click()
    eventually(fn -> has_element?(view, "[id='Game 1/2'] b", "1") end)
  end

  test "shows what the page says now: another viewer, another plugin, nothing" do
    [one, two] = [counter!(), counter!()]
    {view, _} = open!([[id: "game", plugin: one, viewer: "ann"]])
    click(view, "game")
    sees!(view, "game", 1)
    show(view, [[id: "game", plugin: one, viewer: "bob", class: "big"]])
    eventually(fn -> has_element?(view, "#game.big p", "bob sees 1") end)
    click(view, "game")
    sees!(view, "game", 2)
    show(view, [[id: "game", plugin: two, viewer: "bob"]])
    eventually(fn -> has_element?(view, "#game p", "bob sees 0") end)
    click(view, "game")
    sees!(view, "game", 1)
    show(view, [])
    refute has_element?(view, "#game")
    show(view, [[id: "game", plugin: two, viewer: "bob"]])
    sees!(view, "game", 1)
  end

  test "loses no event when its options change meanwhile" do
    test = self()

    plugin =
      plugin!(
        fn input -> ~s|<button phx-click="go">#{input["assigns"]["n"]}</button>| end,
        fn input ->
          send(test, {:event, self(), input["assigns"]["n"]})
          receive do: (:go -> %{})
        end
      )

    {view, _} = open!([[id: "game", plugin: plugin, assigns: %{"n" => 1}, take: []]])
    for _ <- 1..3, do: click(view, "game")
    assert_receive {:event, first, 1}, 5_000
    show(view, [[id: "game", plugin: plugin, assigns: %{"n" => 2}]])
    send(first, :go)

    for _ <- 1..2 do
      assert_receive {:event, next, 2}, 5_000
      send(next, :go)
    end

    eventually(fn -> has_element?(view, "#game button", "2") end)
    refute_receive {:event, _, _}, 50
  end

  describe "what goes wrong" do
    test "is a message in the component, until it is clicked or the next event" do
      plugin =
        plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn
          %{"value" => %{"x" => _}} -> %{}
          _input -> {:error, "not <b>now</b>"}
        end)

      {view, _} = open!([[id: "one", plugin: plugin], [id: "two", plugin: plugin]])
      click(view, "one")
      eventually(fn -> has_element?(view, "#one .vitrine-message[data-kind=error]") end)
      assert view |> element("#one .vitrine-messages") |> render() =~ "not &lt;b&gt;now"
      refute has_element?(view, "#two .vitrine-message")
      assert view |> element("#flash") |> render() =~ ~r/><\/p>/
      view |> element("#one .vitrine-message") |> render_click()
      refute has_element?(view, ".vitrine-message")
      click(view, "one")
      eventually(fn -> has_element?(view, "#one .vitrine-message") end)
      Component.dispatch(view.pid, "one", "go", %{"x" => 1})
      eventually(fn -> not has_element?(view, "#one .vitrine-message") end)
      assert has_element?(view, "#one .vitrine button")
    end

    test "is for the host, if it wants to know" do
      test = self()

      plugin =
        plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn _ -> {:error, "no"} end)

      on_error = fn socket, error ->
        send(test, {:failed, error.reason})
        socket
      end

      {view, _} = open!([[id: "game", plugin: plugin, on_error: on_error]])
      click(view, "game")
      assert_receive {:failed, _reason}, 5_000
      refute has_element?(view, ".vitrine-message")
    end

    test "is not the end of the page, whatever ends" do
      plugin = counter!()
      {view, _} = open!([[id: "game", plugin: plugin]])
      [{hub, _}] = Registry.lookup(Vitrine.LiveView.Registry, {plugin, nil, nil})
      Process.exit(hub, :kill)
      click(view, "game")
      sees!(view, "game", 1)
      Process.exit(process(view, "game"), :kill)
      click(view, "game")
      sees!(view, "game", 2)
    end

    test "of a render keeps what was shown" do
      broken = :counters.new(1, [])

      plugin =
        plugin!(
          fn _ ->
            if :counters.get(broken, 1) == 1,
              do: raise("broken"),
              else: ~s|<b>0</b><button phx-click="go">Go</button>|
          end,
          fn _ -> :counters.add(broken, 1, 1) && %{} end
        )

      {view, _} = open!([[id: "game", plugin: plugin]])
      click(view, "game")
      eventually(fn -> has_element?(view, "#game .vitrine[data-status=failed]") end)
      sees!(view, "game", 0)
    end
  end

  test "is pending while there is nothing to show, and does not hold the page up" do
    test = self()

    plugin =
      plugin!(fn _ ->
        send(test, {:rendering, self()})
        receive do: (:go -> "<p>here</p>")
      end)

    {view, html} =
      open!([[id: "game", plugin: plugin, patience: 1, slow_after: 10, pending: "Wait <b>"]])

    assert html =~ "Wait &lt;b&gt;"
    eventually(fn -> has_element?(view, "#game .vitrine[aria-busy]") end)
    render_click(view, "own")
    assert_receive {:rendering, call}
    send(call, :go)
    eventually(fn -> has_element?(view, "#game p", "here") end)
    refute has_element?(view, "#game .vitrine[aria-busy]")
  end

  test "takes nothing of another namespace for its own" do
    test = self()

    plugin =
      plugin!(fn _ -> "<p></p>" end, fn arg ->
        send(test, {:plugin, arg})
        %{}
      end)

    {view, _} = open!([[id: "game", plugin: plugin]])

    for event <- ["vitrine:other:go", "go", "vitrine:game:", "vitrine:nonsense"],
        do: assert(with_target(view, "#game") |> render_click(event) =~ "game")

    refute_receive {:plugin, _}, 50
    with_target(view, "#game") |> render_click("vitrine:game:go", %{"x" => "1"})
    assert_receive {:plugin, %{"event_name" => "go", "value" => %{"x" => "1"}}}
  end

  test "takes answers' chosen keys to the host's function" do
    test = self()
    answer = %{"score" => 7, "view" => nil, "element" => %{}}
    plugin = plugin!(fn _ -> ~s|<button phx-click="go">Go</button>| end, fn _ -> answer end)

    on_answer = fn socket, answer ->
      send(test, {:answer, answer})
      socket
    end

    {view, _} = open!([[id: "game", plugin: plugin, take: ["score"], on_answer: on_answer]])
    click(view, "game")
    assert_receive {:answer, taken}, 5_000
    assert taken == %{"score" => 7}
  end

  test "is not told of by another page, or too late" do
    assert Component.dispatch(self(), "game", "go", %{}) == :ok
  end

  describe "the process of a component" do
    test "ends with the page" do
      {view, _} = open!([[id: "game", plugin: counter!()]])
      process = process(view, "game")
      monitor = Process.monitor(process)
      Process.flag(:trap_exit, true)
      GenServer.stop(view.pid)
      assert_receive {:DOWN, ^monitor, _, _, :normal}, 5_000
    end

    test "ends when the component does not answer any more" do
      # No process is there.
      cid = struct(Phoenix.LiveComponent.CID, cid: 1)
      process = ComponentProcess.start(cid, check_interval: 20)
      monitor = Process.monitor(process)
      assert_receive {_phoenix, :send_update, {^cid, %{__vitrine__: :there?}}}, 5_000
      assert ComponentProcess.acknowledge(process)
      assert_receive {_phoenix, :send_update, _}, 5_000
      assert_receive {:DOWN, ^monitor, _, _, :normal}, 5_000
      refute ComponentProcess.acknowledge(process)
    end

    test "asks, and stays if the component is there" do
      {view, _} = open!([[id: "game", plugin: counter!()]])
      process = process(view, "game")
      send(process, :check)
      eventually(fn -> :sys.get_state(process).acknowledged? end)
      send(process, :check)
      _ = :sys.get_state(process)
      click(view, "game")
      sees!(view, "game", 1)
    end
  end

  test "a page that is only sent leaves nobody behind who looks on" do
    plugin = counter!()

    chosen = choose!([[id: "game", plugin: plugin, viewer: "ann"]])

    conn =
      build_conn()
      |> Plug.Conn.put_private(:phoenix_endpoint, @endpoint)
      |> Plug.Test.init_test_session(%{})
      |> Phoenix.LiveView.Router.fetch_live_flash([])
      |> Phoenix.LiveView.Controller.live_render(Page, session: %{"chosen" => chosen})

    assert Phoenix.ConnTest.html_response(conn, 200) =~ "ann sees"
    [{hub, _}] = Registry.lookup(Vitrine.LiveView.Registry, {plugin, nil, nil})
    eventually(fn -> :sys.get_state(hub).viewers == %{} end)
    refute_received {:vitrine_live_view, _, _}
  end
end
