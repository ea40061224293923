defmodule Vitrine.Process.StatusTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Vitrine.Guests

  @config [config: %{"key" => "hunter2"}]

  for module <- [Vitrine.Server, Vitrine.Pool] do
    describe "the status of a #{inspect(module)}" do
      test "does not show the configuration" do
        {:ok, pid} = unquote(module).start_link([source: wasm("rust_minimal")] ++ @config)
        refute inspect(:sys.get_status(pid), limit: :infinity) =~ "hunter2"
      end

      test "the log of its crash does not show the configuration" do
        Process.flag(:trap_exit, true)
        options = [source: wasm("rust_minimal"), shutdown: 0] ++ @config
        {:ok, pid} = unquote(module).start_link(options)

        log =
          capture_log(fn ->
            Process.exit(pid, :a_crash)
            assert_receive {:EXIT, ^pid, :a_crash}
          end)

        assert log =~ "a_crash"
        refute log =~ "hunter2"
      end

      test "the error of a wrong option does not show the configuration" do
        options = [source: "(module)", shutdwn: 1] ++ @config
        error = assert_raise ArgumentError, fn -> unquote(module).start_link(options) end
        assert error.message =~ "unknown option: :shutdwn (did you mean :shutdown?)"
        refute error.message =~ "hunter2"
        refute error.message =~ "(module)"
      end
    end
  end

  test "the log of a server that stops after a trap has no input" do
    Process.flag(:trap_exit, true)

    {:ok, pid} =
      Vitrine.Server.start_link(
        source: wasm("rust"),
        on_trap: :stop,
        host_functions: host_functions()
      )

    log =
      capture_log(fn ->
        assert reason(Vitrine.call(pid, "recurse", "hunter2")) == :trap
        assert_receive {:EXIT, ^pid, _}
      end)

    # The last message is the call itself or, if it took longer than a slice, that its caller ended it.
    assert log =~ "\"7 bytes\"" or log =~ ":release"
    refute log =~ "hunter2"
  end

  test "only the size of a call's input is shown" do
    call = %Vitrine.Process.Request{
      function: "run",
      input: "hunter2",
      timeout: 5_000,
      context: %{secret: "hunter2"}
    }

    shown = Vitrine.Server.format_status(%{message: call, state: nil})
    assert shown.message == {:call, "run", "7 bytes", 5_000}
    refute inspect(shown) =~ "hunter2"
  end
end
