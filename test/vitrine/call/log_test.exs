defmodule Vitrine.Call.LogTest do
  # Not async: Logger's level is everybody's.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog
  import Vitrine.Guests

  defp captured(function, options \\ []) do
    format = "$metadata[$level] $message\n"

    capture_log(
      [
        format: format,
        metadata: [:plugin, :plugin_function, :request, :pid],
        colors: [enabled: false]
      ] ++ options,
      function
    )
  end

  setup do
    level = Logger.level()
    on_exit(fn -> Logger.configure(level: level) end)
    Logger.configure(level: :debug)
    {:ok, plugin: guest!("rust")}
  end

  test "lines arrive at Logger, at their levels, in order", %{plugin: plugin} do
    log = captured(fn -> Vitrine.call!(plugin, "log_all", "a line") end)

    levels =
      ~r/\[(\w+)\] plugin "rust", function "log_all": a line/
      |> Regex.scan(log)
      |> Enum.map(&List.last/1)

    assert Enum.map(levels, &String.replace(&1, "warning", "warn")) ==
             ~w(debug debug info warn error)
  end

  test "lines come from the calling process, with its metadata and the names of plugin and function",
       ctx do
    Logger.metadata(request: "abc")
    log = captured(fn -> Vitrine.call!(ctx.plugin, "log_all", "a line") end)
    assert log =~ "plugin=rust plugin_function=log_all"
    assert log =~ "request=abc"
    assert log =~ "pid=#{inspect(self()) |> String.trim_leading("#PID")}"
  end

  test "a level that Logger drops is not logged, and the plugin can know it", %{plugin: plugin} do
    for {level, number} <- [debug: "0", info: "2", error: "4"] do
      Logger.configure(level: level)
      assert Vitrine.call!(plugin, "log_level") == number
    end

    Logger.configure(level: :error)

    assert captured(fn -> Vitrine.call!(plugin, "log_all", "x") end) =~
             ~r/\A[^\n]*\[error\] plugin "rust", function "log_all": x\n\z/
  end

  test "the guest is not asked for log lines by a process that does not log", %{plugin: plugin} do
    assert unlogged(fn -> Vitrine.call!(plugin, "log_level") end) == "2147483647"
  end

  test "a line that is not UTF-8 is logged with U+FFFD for the bytes that are not" do
    plugin =
      new!(~S"""
      (module
        (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
        (import "extism:host/env" "log_error" (func $log (param i64)))
        (func (export "log") (local $p i64)
          (local.set $p (call $alloc (i64.const 1)))
          (call $store (local.get $p) (i32.const 255))
          (call $log (local.get $p)))
        (func (export "bad") (call $log (i64.const 12345))))
      """)

    assert captured(fn -> Vitrine.call!(plugin, "log") end) =~ ~s(function "log": \uFFFD\n)
    error = error!(Vitrine.call(plugin, "bad"))

    assert {error.reason, error.message} ==
             {:trap, "invalid handle offset for log message: 12345"}
  end

  test "a very long line is cut, and says how much was cut" do
    plugin =
      new!(~S"""
      (module
        (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
        (import "extism:host/env" "length" (func $length (param i64) (result i64)))
        (import "extism:host/env" "input_offset" (func $input (result i64)))
        (import "extism:host/env" "log_error" (func $log (param i64)))
        (func (export "log") (call $log (call $input)))
        (func (export "huge") (local $i i32)
          (loop $again
            (call $log (call $alloc (i64.const 30000000)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 10))))))
      """)

    whole = String.duplicate("é", 32_768)
    assert logged(plugin, "log", whole) == [whole]

    assert logged(plugin, "log", "x" <> whole <> "the end") ==
             ["x" <> String.duplicate("é", 32_767) <> "… (9 bytes more)"]

    lines = logged(plugin, "huge", "")
    assert length(lines) == 10

    for line <- lines do
      assert byte_size(line) < 66_000
      assert line =~ ~r/… \(2993446\d bytes more\)\z/
    end
  end

  # Logger itself cuts shorter, as it is configured here.
  defp logged(plugin, function, input) do
    parent = self()

    captured(fn ->
      {{:ok, ""}, events} = Vitrine.trace(plugin, function, input)
      send(parent, {:logged, for(%{kind: :log, message: message} <- events, do: message)})
    end)

    assert_received {:logged, lines}
    lines
  end
end
