defmodule Vitrine.LiveView.SocketTest do
  # With a stub of LiveView: what a socket does by itself. GameBox's tests have the real one.
  use ExUnit.Case, async: true

  alias Vitrine.{Error, LiveView, Stage, StubSocket}
  alias Vitrine.LiveView.{Display, Messages}

  @moduletag :capture_log

  defp attach(socket, name, options) do
    plugin = Stage.start!(fn _ -> "<p></p>" end)
    LiveView.attach(socket, name, [plugin: plugin] ++ options)
  end

  defp attach(%StubSocket{} = socket, name), do: attach(socket, name, [])

  defp attach(name, options) when is_atom(name),
    do: attach(%StubSocket{view: __MODULE__}, name, options)

  defp attach(name), do: attach(name, [])

  defp session(socket, name), do: socket.private.vitrine[name]
  defp answered(socket, result), do: Display.answered(socket, session(socket, :board), result)
  defp refusal(text), do: {:error, %Error{reason: :guest_error, message: text}}

  describe "use Vitrine.LiveView" do
    test "gives the module LiveView's imports" do
      [{module, _}] =
        Code.compile_string("""
        defmodule Vitrine.LiveView.SocketTest.Redirects#{System.unique_integer([:positive])} do
          use Vitrine.LiveView
          @impl Vitrine.LiveView
          def plugin(_params, _session, socket), do: {:error, push_navigate(socket, to: "/")}
        end
        """)

      assert {:ok, %{redirected: "/"}} = module.mount(%{}, %{}, %StubSocket{})
    end

    test "keeps a use of LiveView that stands before it" do
      [{module, _}] =
        Code.compile_string("""
        defmodule Vitrine.LiveView.SocketTest.Kept#{System.unique_integer([:positive])} do
          use Phoenix.LiveView
          use Vitrine.LiveView
          @impl Vitrine.LiveView
          def plugin(_params, session, socket) do
            {:ok, plugin: session["plugin"], assigns: %{"connected" => connected?(socket)}}
          end
        end
        """)

      plugin = Stage.start!(fn _ -> "<p></p>" end)
      assert {:ok, socket} = module.mount(%{}, %{"plugin" => plugin}, %StubSocket{})
      # Its layout shows messages.
      refute socket.assigns.vitrine_flash?
      assert socket.assigns.vitrine_element.pending == "Loading …"
    end
  end

  test "two plugins of a view cannot have one namespace" do
    socket = attach(:a)

    assert_raise ArgumentError,
                 ~s(expected the option :namespace of :b to be another one than that of :a, got: "a" for both),
                 fn -> attach(socket, :b, namespace: "a") end

    # One that takes another's place can.
    assert %{assigns: %{a: %{namespace: "a"}}} = attach(socket, :a)
  end

  describe "the message of a refusal" do
    test "goes away with the next event and with the next answer" do
      socket = :board |> attach() |> answered(refusal("it is not your turn"))
      assert socket.assigns.flash == %{"error" => "it is not your turn"}
      assert LiveView.dispatch(socket, :board, "move").assigns.flash == %{}
      assert answered(socket, {:ok, %{}}).assigns.flash == %{}
    end

    test "leaves an equal message of another plugin alone" do
      socket = :board |> attach() |> answered(refusal("no")) |> attach(:chat)
      socket = Display.answered(socket, session(socket, :chat), refusal("no"))
      socket = LiveView.dispatch(socket, :board, "move")
      assert socket.assigns.flash == %{"error" => "no"}
      assert LiveView.dispatch(socket, :chat, "say").assigns.flash == %{}
    end

    test "leaves a message of the host's alone" do
      socket = :board |> attach() |> answered(refusal("it is not your turn"))
      socket = Phoenix.LiveView.put_flash(socket, :error, "the host's")
      assert answered(socket, {:ok, %{}}).assigns.flash == %{"error" => "the host's"}
    end

    test "fades, unless another one has taken its place" do
      socket = :board |> attach(fade_after: 1) |> answered(refusal("one"))
      tag = session(socket, :board).tag
      assert_receive {:vitrine_live_view, ^tag, {:hide, first}}
      assert Messages.clear(socket, session(socket, :board), first).assigns.flash == %{}

      socket = answered(socket, refusal("two"))

      assert Messages.clear(socket, session(socket, :board), first).assigns.flash == %{
               "error" => "two"
             }
    end

    test "of a failure that is not a refusal does not fade" do
      socket = attach(:board, fade_after: 1)
      socket = answered(socket, {:error, %Error{reason: :trap, message: "unreachable"}})
      assert socket.assigns.flash == %{"error" => "That did not work."}
      refute_receive {:vitrine_live_view, _tag, {:hide, _message}}, 50
    end
  end

  test "a refusal is logged for debugging, a failure as a warning that names the view and the plugin" do
    socket = attach(:board)

    log =
      ExUnit.CaptureLog.capture_log([level: :info], fn ->
        answered(socket, refusal("it is not your turn"))
        answered(socket, {:error, %Error{reason: :trap, message: "unreachable"}})
      end)

    refute log =~ "it is not your turn"
    assert log =~ ~s([warning] Vitrine.LiveView.SocketTest, "board": unreachable)
  end
end
