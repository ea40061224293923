defmodule Vitrine.LiveView.HubTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.LiveView.{Hub, Options, RenderCache, Session}
  alias Vitrine.Stage

  @moduletag :capture_log

  # A server whose renders the test counts, and whose text it may change.
  defp stage!(render \\ fn input -> "<p>#{input["player_id"]}</p>" end, options \\ []) do
    test = self()

    Stage.start!(
      fn input ->
        send(test, {:render, input["player_id"]})
        render.(input)
      end,
      fn _input -> %{} end,
      options
    )
  end

  defp class(plugin, options) do
    session = Session.new(:board, Options.check!(:board, [plugin: plugin] ++ options))
    {session.key, session.class}
  end

  defp viewer(plugin, options) do
    {key, class} = class(plugin, options)
    test = self()

    spawn_link(fn ->
      tag = make_ref()
      {state, _hub, table} = Hub.join(key, class, tag)
      if state == :ready, do: send(test, {:seen, self(), RenderCache.fetch(table, class)})
      look(test, tag, table, class)
    end)
  end

  defp look(test, tag, table, class) do
    receive do
      {:vitrine_live_view, ^tag, :rendered} ->
        send(test, {:seen, self(), RenderCache.fetch(table, class)})

      {:vitrine_live_view, ^tag, :slow} ->
        send(test, {:slow, self()})

      :leave ->
        exit(:normal)
    end

    look(test, tag, table, class)
  end

  defp seen!(viewers) do
    for viewer <- viewers do
      assert_receive {:seen, ^viewer, result}
      result
    end
  end

  # Counts the renders that were asked for until now. Later ones are counted by the next call.
  defp renders(counts \\ %{}) do
    receive do
      {:render, viewer} -> renders(Map.update(counts, viewer, 1, &(&1 + 1)))
    after
      0 -> counts
    end
  end

  defp hub(plugin) do
    [{hub, _}] = Registry.lookup(Vitrine.LiveView.Registry, {plugin, nil, nil})
    hub
  end

  defp change!(plugin, version) do
    Vitrine.LiveView.changed(plugin, version: version)
    # The hub has heard of it.
    :sys.get_state(hub(plugin))
  end

  describe "200 viewers" do
    test "cause one render for each version and class" do
      plugin = stage!()

      players =
        for n <- 1..100, do: viewer(plugin, viewer: if(rem(n, 2) == 0, do: "a", else: "b"))

      spectators = for _ <- 1..100, do: viewer(plugin, viewer: nil)
      viewers = players ++ spectators

      assert length(seen!(viewers)) == 200
      assert renders() == %{"a" => 1, "b" => 1, nil => 1}

      for {version, more} <- [{1, 1}, {1, 0}, {2, 1}, {"2", 1}, {nil, 1}, {nil, 1}] do
        change!(plugin, version)
        if more == 1, do: seen!(viewers)
        expected = if more == 1, do: %{"a" => 1, "b" => 1, nil => 1}, else: %{}
        assert renders() == expected, "version #{inspect(version)}"
      end
    end

    test "each see their own" do
      plugin = stage!()
      viewers = for n <- 1..200, do: {n, viewer(plugin, viewer: n)}

      for {n, viewer} <- viewers do
        assert_receive {:seen, ^viewer, {:ok, tree}}
        assert IO.iodata_to_binary(Vitrine.HTML.to_iodata(tree)) =~ ">#{n}</p>"
      end
    end
  end

  describe "a viewer" do
    test "that caused a change is rendered for first" do
      classes = for name <- ~w(a b c d e f), do: elem(class(stage!(), viewer: name), 1)

      renders =
        Enum.reduce(classes, RenderCache.new(), fn class, renders ->
          {:rendering, renders} = RenderCache.join(renders, class, make_ref(), self())
          renders
        end)

      for class <- classes do
        assert [^class | others] = RenderCache.wanted(renders, class)
        assert length(others) == 5
      end

      # No viewer has the class, or the viewer with it has left.
      for class <- [nil, %{}], do: assert(length(RenderCache.wanted(renders, class)) == 6)
    end

    test "that comes later finds what is rendered" do
      plugin = stage!()
      seen!([viewer(plugin, viewer: "a")])
      seen!([viewer(plugin, viewer: "a")])
      assert renders() == %{"a" => 1}
    end

    test "that comes back soon finds what is rendered" do
      plugin = stage!()
      first = viewer(plugin, viewer: "a")
      seen!([first])
      hub = hub(plugin)
      send(first, :leave)
      eventually(fn -> :sys.get_state(hub).viewers == %{} end)
      seen!([viewer(plugin, viewer: "a")])
      assert renders() == %{"a" => 1}
    end

    test "with other assigns has a render of its own" do
      plugin = stage!()
      seen!(for language <- ~w(de en), do: viewer(plugin, assigns: %{"language" => language}))
      assert renders() == %{nil => 2}
    end

    test "that has left is not rendered for" do
      plugin = stage!()
      [first, second] = for name <- ~w(a b), do: viewer(plugin, viewer: name)
      seen!([first, second])
      renders()
      send(first, :leave)
      eventually(fn -> map_size(:sys.get_state(hub(plugin)).viewers) == 1 end)
      change!(plugin, nil)
      seen!([second])
      assert renders() == %{"b" => 1}
    end

    @tag :slow
    test "that is the last to leave ends the hub, after a while" do
      plugin = stage!()
      viewer = viewer(plugin, [])
      seen!([viewer])
      monitor = Process.monitor(hub(plugin))
      send(viewer, :leave)
      assert_receive {:DOWN, ^monitor, :process, _, :normal}
      seen!([viewer(plugin, [])])
    end
  end

  describe "a slow render" do
    setup do
      test = self()

      plugin =
        Stage.start!(fn _input ->
          send(test, {:rendering, self()})
          receive do: ({:render, html} -> html)
        end)

      {:ok, plugin: plugin}
    end

    test "is reported to its viewers, and does not hold up the hub", %{plugin: plugin} do
      viewer = viewer(plugin, slow_after: 1)
      assert_receive {:rendering, render}
      assert_receive {:slow, ^viewer}
      assert :sys.get_state(hub(plugin)).version == nil
      send(render, {:render, "<p>late</p>"})
      assert [{:ok, _tree}] = seen!([viewer])
    end

    test "is shown, and followed by one more for all changes meanwhile", %{plugin: plugin} do
      viewer = viewer(plugin, [])
      assert_receive {:rendering, render}
      for version <- 1..10, do: change!(plugin, version)
      refute_received {:rendering, _}
      send(render, {:render, "<p>one</p>"})
      assert [{:ok, one}] = seen!([viewer])
      assert_receive {:rendering, render}
      send(render, {:render, "<p>two</p>"})
      assert [{:ok, two}] = seen!([viewer])
      assert one != two
      refute_received {:rendering, _}
    end

    test "of one viewer does not hold up another one's", %{plugin: _plugin} do
      test = self()

      pool =
        start_supervised!(
          {Vitrine.Pool,
           source: Vitrine.Stage.wat(),
           size: 2,
           host_functions: [
             Vitrine.HostFunction.new("render", [:json], :binary, fn input ->
               if input["player_id"] == "slow", do: send(test, {:rendering, self()})
               if input["player_id"] == "slow", do: receive(do: (:go -> :ok))
               "<p></p>"
             end),
             Vitrine.HostFunction.new("handle_event", [:json], :json, & &1)
           ]}
        )

      slow = viewer(pool, viewer: "slow")
      assert_receive {:rendering, render}
      seen!([viewer(pool, viewer: "quick")])
      send(render, :go)
      seen!([slow])
    end
  end

  describe "a render that fails" do
    test "is an error for its viewers, and no other's" do
      plugin =
        stage!(fn
          %{"player_id" => "bad"} -> raise "no"
          _input -> "<p></p>"
        end)

      assert [{:error, error}] = seen!([viewer(plugin, viewer: "bad")])
      assert error.reason == :host_function
      assert [{:ok, _tree}] = seen!([viewer(plugin, viewer: "good")])
    end

    test "is tried again with the next change, not before" do
      plugin = stage!(fn _input -> {:error, "not yet"} end)
      viewers = for _ <- 1..3, do: viewer(plugin, [])
      assert Enum.all?(seen!(viewers), &match?({:error, %{reason: :guest_error}}, &1))
      seen!([viewer(plugin, [])])
      assert renders() == %{nil => 1}
      change!(plugin, nil)
      seen!(viewers)
      assert renders() == %{nil => 1}
    end

    test "as its process is killed, is an error as well" do
      plugin = stage!(fn _input -> Process.exit(self(), :kill) end)
      assert [{:error, %{reason: :cancelled}}] = seen!([viewer(plugin, [])])
    end
  end

  describe "a server" do
    test "that is restarted is rendered again" do
      name = :"#{__MODULE__}.restarted"
      plugin = stage!(fn _input -> "<p></p>" end, name: name)
      viewer = viewer(name, [])
      seen!([viewer])
      change!(name, 1)
      seen!([viewer])
      Process.exit(plugin, :kill)
      assert [{:ok, _}] = seen!([viewer])
      # It counts anew: the same number is another state.
      renders()
      change!(name, 1)
      seen!([viewer])
      assert renders() == %{nil => 1}
    end

    test "that is not running yet is waited for" do
      name = :"#{__MODULE__}.late"
      viewer = viewer(name, [])
      assert [{:error, %{reason: :closed}}] = seen!([viewer])
      stage!(fn _input -> "<p></p>" end, name: name)
      assert [{:ok, _}] = seen!([viewer])
    end
  end
end
