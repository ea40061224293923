defmodule Vitrine.LiveView.SessionTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.LiveView.{Options, Session}
  alias Vitrine.Stage

  @moduletag :capture_log

  defp session!(plugin, options \\ []) do
    {_state, session} =
      :board |> Session.new(Options.check!(:board, [plugin: plugin] ++ options)) |> Session.join()

    session
  end

  defp event!(session, name, value \\ %{}) do
    assert {:ok, session} = Session.event(session, name, value)
    session
  end

  defp answer!(session) do
    tag = session.tag
    assert_receive {:vitrine_live_view, ^tag, {:answered, result}}
    {result, Session.over(session)}
  end

  defp blocking do
    test = self()

    Stage.start!(fn _ -> "<p></p>" end, fn input ->
      send(test, {:event, self(), input})
      receive do: ({:answer, answer} -> answer)
    end)
  end

  describe "change/2" do
    test "loses no event, and gets messages only of the current topic" do
      session = session!(blocking(), viewer: "ann")
      session = session |> event!("first") |> event!("second")
      assert_receive {:event, first, %{"player_id" => "ann"}}
      wanted = Session.new(:board, %{session.options | viewer: "bob"})
      refute Session.same?(session, wanted)
      old = session.tag
      {_joined, session} = Session.change(session, wanted)
      send(first, {:answer, %{"n" => 1}})
      assert_receive {:vitrine_live_view, ^old, {:answered, {:ok, %{"n" => 1}}}}
      session = Session.over(session)
      assert_receive {:event, second, %{"player_id" => "bob", "event_name" => "second"}}
      send(second, {:answer, %{}})
      {{:ok, _}, _session} = answer!(session)
      refute_received {:vitrine_live_view, ^old, :rendered}
    end

    test "is not needed for options that only say where answers go" do
      session = session!(blocking(), viewer: "ann")
      options = %{session.options | take: ["score"], on_answer: &Map.merge/2}
      assert Session.same?(session, Session.new(:board, options))
    end
  end

  describe "late?/2" do
    test "is true for the running event only" do
      session = blocking() |> session!(slow_after: 10) |> event!("first") |> event!("second")
      tag = session.tag
      assert_receive {:vitrine_live_view, ^tag, {:late, first}}
      assert Session.late?(session, first)
      assert_receive {:event, call, _}
      send(call, {:answer, %{}})
      {_result, session} = answer!(session)
      refute Session.late?(session, first)
      assert_receive {:event, call, _}
      send(call, {:answer, %{}})
    end
  end

  test "the events of a component have its target, and only its classes" do
    plugin = Stage.start!(fn _ -> ~s|<button phx-click="go">Go</button>| end)
    options = Options.check!(:board, plugin: plugin, patience: 5_000)
    [own, other] = for target <- ["[data-x=board]", nil], do: Session.new(:board, options, target)
    refute own.class == other.class

    for {session, attribute} <- [{own, ~s( phx-target="[data-x=board]")}, {other, ""}] do
      {joined, session} = Session.join(session)
      assert {:ok, tree} = Session.await(joined, session)

      assert IO.iodata_to_binary(Vitrine.HTML.to_iodata(tree)) ==
               ~s(<button phx-click="vitrine:board:go"#{attribute}>Go</button>)
    end
  end

  describe "event/3" do
    test "tells the plugin whose event it is, and brings its answer" do
      plugin = Stage.start!(fn _ -> "<p></p>" end, fn input -> %{"got" => input} end)
      session = session!(plugin, viewer: "ann", assigns: %{"language" => "de"})
      value = %{"cell" => "3", "player_id" => "bob"}
      {result, _session} = session |> event!("cell-clicked", value) |> answer!()

      assert result ==
               {:ok,
                %{
                  "got" => %{
                    "player_id" => "ann",
                    "event_name" => "cell-clicked",
                    "value" => value,
                    "assigns" => %{"language" => "de"}
                  }
                }}
    end

    test "sends one event at a time, in order" do
      session = session!(blocking())
      session = Enum.reduce(1..3, session, &event!(&2, "e#{&1}"))

      Enum.reduce(1..3, session, fn n, session ->
        name = "e#{n}"
        assert_receive {:event, call, %{"event_name" => ^name}}
        refute_received {:event, _, _}
        send(call, {:answer, %{"n" => n}})
        {{:ok, %{"n" => ^n}}, session} = answer!(session)
        session
      end)
    end

    test "refuses events beyond the queue's limit" do
      session = session!(blocking(), max_events: 2)
      session = Enum.reduce(1..3, session, &event!(&2, "e#{&1}"))
      assert {:error, %{reason: :busy, message: message}} = Session.event(session, "e4", %{})
      assert message =~ "2 events wait"
      assert_receive {:event, call, _}
      send(call, {:answer, %{}})
      {{:ok, _}, session} = answer!(session)
      event!(session, "e4")
    end

    test "refuses what is too large" do
      session = session!(blocking(), max_event_bytes: 1000)
      value = %{"text" => String.duplicate("x", 1000)}
      assert {:error, %{reason: :busy}} = Session.event(session, "typed", value)
      refute_receive {:event, _, _}, 50
    end

    test "completes when the viewer is gone, and other viewers see it" do
      plugin = blocking()
      %{tag: tag} = session!(plugin)
      assert_receive {:vitrine_live_view, ^tag, :rendered}

      viewer = spawn(fn -> plugin |> session!() |> event!("move") end)
      monitor = Process.monitor(viewer)
      assert_receive {:event, call, _}
      assert_receive {:DOWN, ^monitor, :process, _, _}
      send(call, {:answer, %{"version" => 1}})

      assert_receive {:vitrine_live_view, ^tag, :rendered}
      assert Vitrine.Server.info(plugin).errors == 0
    end
  end

  describe "an answer" do
    for {what, text} <- [list: "[]", text: ~S("x"), nothing: "null"] do
      test "that is #{what} and not an object is an error" do
        plugin = plugin_that_answers(unquote(text))
        assert {{:error, error}, _} = plugin |> session!() |> event!("e") |> answer!()
        assert {error.reason, error.function} == {:codec, "handle_event"}
      end
    end

    test "of no bytes is an empty answer" do
      plugin = plugin_that_answers("")
      assert {{:ok, %{}}, _} = plugin |> session!() |> event!("e") |> answer!()
    end

    test "that is not JSON is an error" do
      plugin = plugin_that_answers("{")
      assert {{:error, %{reason: :codec}}, _} = plugin |> session!() |> event!("e") |> answer!()
    end

    defp plugin_that_answers(text) do
      functions = [
        Vitrine.HostFunction.new("render", [:json], :binary, fn _ -> "<p></p>" end),
        Vitrine.HostFunction.new("handle_event", [:json], :binary, fn _ -> text end)
      ]

      start_supervised!({Vitrine.Server, source: Stage.wat(), host_functions: functions})
    end
  end

  describe "a failure" do
    test "of the plugin does not end the session" do
      plugin = Stage.start!(fn _ -> "<p></p>" end)
      session = session!(plugin, handle_event: "trap")
      assert {{:error, %{reason: :trap}}, session} = session |> event!("e") |> answer!()
      assert {{:error, %{reason: :trap}}, _} = session |> event!("e") |> answer!()
    end

    test "of a plugin that loops is a timeout" do
      plugin = Stage.start!(fn _ -> "<p></p>" end)
      session = session!(plugin, handle_event: "loop", timeout: 50)
      assert {{:error, %{reason: :timeout}}, _} = session |> event!("e") |> answer!()
    end

    test "makes views render again, because the state may have changed; a refusal does not" do
      plugin =
        Stage.start!(fn _ -> "<p></p>" end, fn
          %{"event_name" => "refuse"} -> {:error, "it is not your turn"}
          %{"event_name" => "fail"} -> raise "no"
        end)

      session = session!(plugin)
      tag = session.tag
      assert_receive {:vitrine_live_view, ^tag, :rendered}
      {{:error, error}, session} = session |> event!("refuse") |> answer!()
      assert {error.reason, error.message} == {:guest_error, "it is not your turn"}
      {{:error, %{reason: :host_function}}, _} = session |> event!("fail") |> answer!()
      assert_receive {:vitrine_live_view, ^tag, :rendered}
      refute_receive {:vitrine_live_view, ^tag, :rendered}, 50
    end
  end

  describe "join/1" do
    test "finds another hub when the hub before has ended" do
      session = session!(Stage.start!(fn _ -> "<p></p>" end), patience: 5_000)
      Process.exit(session.hub, :kill)
      monitor = session.monitor
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
      assert Session.result(session) == nil
      {state, session} = Session.join(session)
      assert {:ok, _tree} = Session.await(state, session)
    end
  end

  describe "await/2" do
    test "waits no longer than its patience, and the render comes later" do
      test = self()

      plugin =
        Stage.start!(fn _ ->
          send(test, {:rendering, self()})
          receive do: (:go -> "<p></p>")
        end)

      {state, session} =
        :board
        |> Session.new(Options.check!(:board, plugin: plugin, patience: 1))
        |> Session.join()

      assert Session.await(state, session) == nil
      assert_receive {:rendering, call}
      send(call, :go)
      tag = session.tag
      assert_receive {:vitrine_live_view, ^tag, :rendered}
      eventually(fn -> match?({:ok, _}, Session.result(session)) end)
    end
  end
end
