defmodule Vitrine.Error.BacktraceTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  defp frames(error), do: Enum.map(error.backtrace, &{&1.function, &1.repeated})

  test "an endless recursion is one frame with its number of repetitions" do
    plugin = new!(~S|(module (func $deep (export "run") (call $deep)))|)
    error = error!(Vitrine.call(plugin, "run"))
    assert error.trap == "call stack exhausted"
    # The first is at its begin, the others at the call.
    assert frames(error) == [{"deep", nil}, {"deep", {1, 18}}]
    assert Exception.message(error) =~ "… repeated 18 times"
    assert error |> Exception.message() |> String.split("\n") |> length() == 4
  end

  test "mutual endless recursion is one group of frames" do
    plugin = new!(~S|(module (func $odd (export "run") (call $even)) (func $even (call $odd)))|)

    error = error!(Vitrine.call(plugin, "run"))
    assert length(error.backtrace) <= 5
    assert Exception.message(error) =~ ~r/… these 2 repeated [89] times/
  end

  test "names of Rust are shown as they are in the source" do
    for {name, shown} <- [
          {"_ZN4core9panicking9panic_fmt17h0123456789abcdefE", "core::panicking::panic_fmt"},
          {"core::panicking::panic_fmt::h0123456789abcdef", "core::panicking::panic_fmt"},
          {"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
          {"main.panics", "main.panics"}
        ] do
      plugin = new!("(module (func $\"#{name}\" (export \"run\") unreachable))")
      assert frames(error!(Vitrine.call(plugin, "run"))) == [{shown, nil}]
    end
  end

  @says """
  (module
    (import "extism:host/env" "log_error" (func $log_error (param i64)))
    (import "extism:host/env" "log_info" (func $log_info (param i64)))
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\\08\\00\\00\\00\\8d\\00\\00\\00\\0athread 'main' panicked at src/lib.rs:10:5:\\0aat the plugin's request\\0anote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\\0a")
    (func $print (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 1024))))
    (func (export "prints") (call $print) unreachable)
    (func (export "prints_and_exits") (call $print) (call $exit (i32.const 101)))
    (func (export "prints_and_divides") (call $print) (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "prints_and_returns") (call $print))
    (func (export "logs") (call $log_error (call $input)) unreachable)
    (func (export "informs") (call $log_info (call $input)) unreachable)
    (func (export "silent") unreachable))
  """

  describe "the text of a panic" do
    setup do
      {:ok, plugin: new!(@says, wasi: [stderr: :drop], log_level: :off)}
    end

    @text "the plugin said last: thread 'main' panicked at src/lib.rs:10:5: at the plugin's request"

    test "is in the error when it was printed by the same call", %{plugin: plugin} do
      for {function, reason} <- [{"prints", :trap}, {"prints_and_exits", :exit}] do
        error = error!(Vitrine.call(plugin, function))
        assert {error.reason, String.ends_with?(error.message, @text)} == {reason, true}
      end
    end

    test "is in the error when it was logged by the same call", %{plugin: plugin} do
      error = error!(Vitrine.call(plugin, "logs", "panicked at src/lib.rs:1:2:\nboom"))
      assert error.message =~ "the plugin said last: panicked at src/lib.rs:1:2: boom"
    end

    test "is not taken from another call or from a line that is not a panic", %{plugin: plugin} do
      assert {:ok, _} = Vitrine.call(plugin, "prints_and_returns")

      for function <- ["silent", "informs"] do
        error = error!(Vitrine.call(plugin, function, "text"))
        assert error.message == "wasm `unreachable` instruction executed"
      end

      assert error!(Vitrine.call(plugin, "prints_and_divides")).message ==
               "integer divide by zero"
    end

    test "that was not printed is said to be missing if names show a panic" do
      plugin = new!(~S|(module (func $"core::panicking::panic_fmt" (export "run") unreachable))|)

      assert error!(Vitrine.call(plugin, "run")).message =~ "std::panic::set_hook can log it"
    end

    @tag :slow
    test "of a plugin in Go is in the error" do
      error = error!(Vitrine.call(guest!("go", wasi: [stderr: :drop]), "panic"))
      assert error.message =~ "the plugin said last: panic: at the plugin's request"
    end
  end
end
