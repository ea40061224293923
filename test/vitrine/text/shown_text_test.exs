defmodule Vitrine.Text.ShownTextTest do
  # Text that guests choose is shown and never obeyed, wherever a person reads it.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.OwnLog

  # The log of plugins is shown only where a test fails.
  @moduletag :capture_log

  # A line of somebody else's, a terminal's commands, text that runs backwards and a line separator.
  @forged "bye\n12:00 [error] disk full\r\e[2J\u202Egnp.\u2028last"
  @shown ~S"bye\n12:00 [error] disk full\r\e[2J\u{202E}gnp.\u{2028}last"
  # As a string of WebAssembly's text format.
  @in_wat for <<byte <- @forged>>, into: "", do: "\\" <> Base.encode16(<<byte>>)

  @logging ~S"""
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "log_warn" (func $log (param i64)))
    (import "extism:host/env" "error_set" (func $error (param i64)))
    (func (export "log") (call $log (call $input)))
    (func (export "fail") (result i32) (call $error (call $input)) (i32.const 1))
  """

  defp captured(function), do: function |> OwnLog.lines() |> Enum.map_join(&(&1 <> "\n"))

  test "a line that a plugin logs is one line, which says that it is the plugin's" do
    plugin = new!("(module #{@logging})", name: "p")
    log = captured(fn -> Vitrine.call!(plugin, "log", @forged <> "\n") end)
    assert log == ~s(plugin "p", function "log": #{@shown}\n)
  end

  test "bytes of a log line that are not UTF-8 become U+FFFD, and the rest of the line stays" do
    plugin = new!("(module #{@logging})", name: "p")
    long = String.duplicate("a", 79)
    log = captured(fn -> Vitrine.call!(plugin, "log", long <> <<0xE9>>) end)
    assert log == ~s(plugin "p", function "log": #{long}\uFFFD\n)
  end

  test "each line that a plugin prints says that it is the plugin's" do
    plugin =
      new!(
        ~S"""
        (module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\08\00\00\00\0e\00\00\00one\0d\0atwo\1b[2J\0a\0a")
          (func (export "run")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))
        """,
        name: "p",
        wasi: [stdout: :log]
      )

    log = captured(fn -> Vitrine.call!(plugin, "run") end)
    prefix = ~s(plugin "p", function "run": )
    assert log == Enum.map_join(["one", ~S"two\e[2J", ""], &"#{prefix}#{&1}\n")
  end

  test "a plugin's error is as it said it in the field, and in one line in the message" do
    plugin = new!("(module #{@logging})", name: "p")
    error = error!(Vitrine.call(plugin, "fail", @forged))
    assert error.message == @forged
    assert Exception.message(error) == ~s(plugin "p", function "fail": #{@shown})
  end

  test "a name in a backtrace is shown" do
    plugin = new!(~s|(module (func (@name "#{@in_wat}") (export "run") unreachable))|, name: "p")
    error = error!(Vitrine.call(plugin, "run"))
    assert [%{function: @shown}] = error.backtrace
    assert Exception.message(error) =~ "\n    at #{@shown} (0x"
    assert length(String.split(Exception.message(error), "\n")) == 2
  end

  test "a host function's own message keeps its lines, each with a margin" do
    plugin =
      new!(
        ~S|(module (import "extism:host/user" "f" (func $f (param i64)))
             (import "extism:host/env" "input_offset" (func $input (result i64)))
             (func (export "run") (call $f (call $input))))|,
        name: "p",
        host_functions: %{"f" => fn input -> raise "cannot use " <> input end}
      )

    message = Exception.message(error!(Vitrine.call(plugin, "run", @forged)))

    assert message =~
             "(RuntimeError) cannot use bye\n    | 12:00 [error] disk full\\r\\e[2J\\u{202E}gnp."
  end

  test "names of imports are shown where they are missing, and where they are refused" do
    bytes = ~s|(module (import "#{@in_wat}" "#{@in_wat}" (func)) (func (export "#{@in_wat}")))|

    assert error!(Vitrine.new(bytes)).message =~ ~s(the import "#{@shown}"."#{@shown}" is unknown)
    assert error!(Vitrine.new(bytes, requires: [imports: []])).message =~ @shown

    {:ok, found} =
      Vitrine.inspect_plugin(bytes, requires: [imports: [], exports: ["#{@forged}!"]])

    for refused <- found.refused, do: assert(refused =~ @shown and not (refused =~ ~r/[\n\r\e]/))
    # As data they are what they are.
    assert [%{namespace: @forged, name: @forged}] = found.imports
    assert found.functions == [@forged]

    typed = [Vitrine.HostFunction.new(@forged, [:i32], nil, fn _ -> nil end, namespace: @forged)]
    error = error!(Vitrine.new(bytes, host_functions: typed))
    assert error.message =~ @shown
    refute error.message =~ ~r/[\n\r\e]/
  end

  test "long names are cut" do
    long = String.duplicate("x", 90_000)
    error = error!(Vitrine.new(~s|(module (import "#{long}" "#{long}" (func)))|))
    assert byte_size(error.message) < 1_000
    {:ok, found} = Vitrine.inspect_plugin(~s|(module (import "#{long}" "#{long}" (func)))|)
    for refused <- found.refused, do: assert(byte_size(refused) < 1_000)
  end

  test "a name of a function that is not there is shown" do
    plugin = new!("(module)", name: "p")
    error = error!(Vitrine.call(plugin, @forged))
    assert error.message =~ ~s(the plugin has no function "#{@shown}";)
    assert Exception.message(error) =~ ~s(plugin "p", function "#{@shown}": the plugin has no)
  end

  test "a module that cannot be compiled is told of in one line" do
    for text <- [
          "(module (func i32.const))",
          ~s|(module (func (call $a\n\n)))|,
          ~s|(module (export "#{@in_wat}" (func 9)))|
        ] do
      message = error!(Vitrine.new(text)).message
      refute message =~ ~r/[\n\r\e]/
    end

    assert error!(Vitrine.new("(module\n  (func i32.const))")).message =~ "(line 2, column 18)"
  end

  test "a guest's HTTP request is shown in the error, in text and not in numbers" do
    plugin =
      new!(
        ~S"""
        (module
          (import "extism:host/env" "input_offset" (func $input (result i64)))
          (import "extism:host/env" "http_request" (func $request (param i64 i64) (result i64)))
          (func (export "run") (drop (call $request (call $input) (i64.const 0)))))
        """,
        allowed_hosts: ["*"]
      )

    for {wish, message} <- [
          {%{url: "http://" <> @forged}, ~s(HTTP request to "http://#{@shown}" is not allowed: )},
          {%{url: "http://a\u202Eb"}, ~S|HTTP request to "http://a\u{202E}b" is not allowed: |},
          {%{url: "http://1.1.1.1", method: "a\u2028"},
           ~S|the method "A\u{2028}" is not one of GET, |},
          {%{url: "http://1.1.1.1", headers: %{@forged => "1"}},
           ~s(the header "#{String.replace(@shown, "J", "j")}" has a name that cannot be sent)}
        ] do
      {:ok, json} = Vitrine.Codec.encode(:json, wish)
      error = error!(Vitrine.call(plugin, "run", json))
      assert error.message =~ message
    end
  end

  test "the name of a module that a manifest has twice is shown" do
    wasm = for name <- [@forged, @forged, "main"], do: %{data: "(module)", name: name}
    assert error!(Vitrine.new(%{wasm: wasm})).message =~ "Extism manifest: #{@shown}"
  end

  test "the name of a plugin is shown wherever it is" do
    {:ok, plugin} = Vitrine.new("(module)", name: @forged)
    assert inspect(plugin) == "#Vitrine.Plugin<#{@shown}>"
    assert Exception.message(error!(Vitrine.call(plugin, "x"))) =~ ~s(plugin "#{@shown}", )
  end
end
