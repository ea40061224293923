defmodule Vitrine.LiveView.ViewTest do
  use ExUnit.Case, async: true

  alias Vitrine.Error
  alias Vitrine.LiveView.{Options, View}

  describe "answered/3" do
    test "keeps only the fields that the host chose, with strings as keys" do
      answer = %{"score" => 3, "is_host" => true, "current_player" => "eve", "__changed__" => nil}
      view = View.answered(%View{name: :board}, answer, ["score", "phase"])
      assert view.answer == %{"score" => 3}
      assert Map.delete(view, :answer) == Map.delete(%View{name: :board}, :answer)
    end

    test "keeps earlier answers" do
      view =
        View.answered(%View{answer: %{"score" => 3}}, %{"phase" => "end"}, ["score", "phase"])

      assert view.answer == %{"score" => 3, "phase" => "end"}
    end

    test "makes no atoms of a plugin's answer" do
      key = "an answer's key #{System.unique_integer()}"
      View.answered(%View{}, %{key => key}, [key])
      assert_raise ArgumentError, fn -> String.to_existing_atom(key) end
    end
  end

  describe "rendered/2" do
    test "keeps what was shown when a later render fails" do
      view = View.rendered(%View{}, {:ok, :tree})
      assert {view.status, view.tree} == {:ready, :tree}
      error = %Error{reason: :trap, message: "trapped"}
      failed = View.rendered(view, {:error, error})
      assert {failed.status, failed.tree, failed.error} == {:failed, :tree, error}
      again = View.rendered(failed, {:ok, :other})
      assert {again.status, again.tree, again.error} == {:ready, :other, nil}
    end

    test "waits for a server that is not running" do
      closed = {:error, %Error{reason: :closed, message: "closed"}}
      assert %{status: :pending, busy: true} = View.rendered(%View{}, closed)
      ready = View.rendered(%View{}, {:ok, :tree})
      assert %{status: :ready, busy: true, tree: :tree} = View.rendered(ready, closed)
    end
  end

  describe "the options" do
    for {options, message} <- [
          {[], "the option :plugin is missing: give a Vitrine.Server or a Vitrine.Pool"},
          {[plugin: Some, viewers: 1], "unknown option: :viewers (did you mean :viewer?)"},
          {[plugin: Some, namespace: "a:b"], ":namespace to be up to 32"},
          {[plugin: Some, namespace: "a--b"], ":namespace to be up to 32"},
          {[plugin: Some, html: [tag: "x"]], "unknown"},
          {[plugin: Some, namespace: "Board"], ":namespace to be up to 32"},
          {[plugin: "game.wasm"], ":plugin to be a Vitrine.Server or a Vitrine.Pool"},
          {[plugin: {:ok, "pid"}], "got: {:ok, \"pid\"}: match on {:ok, plugin} first"},
          {[plugin: Some, take: [:score]], ":take to be a list of strings"},
          {[plugin: Some, take: ["a" | "b"]], ":take to be a list of strings"},
          {%{plugin: Some}, "the options to be a keyword list, got: a map"},
          {[plugin: Some, assigns: []], ":assigns to be a map"},
          {[plugin: Some, patience: -1],
           ":patience to be milliseconds, from 0 to 4294967295, got: -1"},
          {[plugin: Some, max_events: 0], ":max_events to be an integer from 1 on"},
          {[plugin: Some, on_error: &Function.identity/1], ":on_error to be a function"},
          {[plugin: Some, timeout: 0.5], "timeout"},
          {[plugin: Some, temporary: 1], ":temporary to be true or false"},
          {[plugin: Some, html: [1]], ":html to be options"},
          {[plugin: Some, render: :render], ":render to be the name"}
        ] do
      test "#{inspect(options)} are refused" do
        assert_raise ArgumentError, ~r/#{Regex.escape(unquote(message))}/, fn ->
          Options.check!(:board, unquote(Macro.escape(options)))
        end
      end
    end

    test "a plugin of one owner is refused" do
      {:ok, plugin} = Vitrine.new(~S|(module (func (export "render")))|)

      assert_raise ArgumentError, ~r/which can be shared/, fn ->
        Options.check!(:board, plugin: plugin)
      end
    end

    test "a pid needs a topic, a name makes one" do
      assert_raise ArgumentError, ~r/expected the option :topic/, fn ->
        Options.check!(:board, plugin: self(), pubsub: PubSub)
      end

      assert Options.check!(:board, plugin: {:global, "g"}, pubsub: PubSub).topic ==
               ~S|vitrine:{:global, "g"}|
    end
  end
end
