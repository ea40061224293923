defmodule Vitrine.Conformance.WasiTest do
  # WASI preview 1: what is granted is there, all else is not, and nothing of it holds a thread.
  use ExUnit.Case, async: true
  doctest Vitrine.Wasi

  import ExUnit.CaptureLog
  import Vitrine.Guests

  defp wasi!(grants \\ true, options \\ []) do
    new!(wasm("c_wasi"), [wasi: grants] ++ options)
  end

  defp call(plugin, function, input \\ ""), do: Vitrine.call(plugin, function, input)

  defp message(plugin, function, input) do
    error!(call(plugin, function, input)).message
  end

  describe "without a grant" do
    test "WASI cannot be imported, and the error says what to do" do
      error = error!(Vitrine.new(wasm("c_wasi")))
      assert error.reason == :link
      assert error.message =~ "wasi: true"
    end

    test "there are clocks and random numbers, and nothing else" do
      plugin = wasi!()
      assert {:ok, now} = call(plugin, "now")
      assert_in_delta String.to_integer(now), System.os_time(:millisecond), 60_000
      assert {:ok, one} = call(plugin, "monotonic")
      assert {:ok, two} = call(plugin, "monotonic")
      assert String.to_integer(two) > String.to_integer(one)
      assert {:ok, <<a::64>>} = call(plugin, "random")
      assert {:ok, <<b::64>>} = call(plugin, "random")
      assert a != b
      assert call(plugin, "arguments") == {:ok, ""}
      assert call(plugin, "environment") == {:ok, ""}
      assert call(plugin, "read_stdin") == {:ok, ""}
      assert {:error, _} = call(plugin, "read_file", "/etc/passwd")
      assert {:error, _} = call(plugin, "list_directory", "/")
    end
  end

  describe "a grant of" do
    test "arguments and environment" do
      plugin = wasi!(args: ["plugin", "-v"], env: %{"HOME" => "/none", "LANG" => "C"})
      assert call(plugin, "arguments") == {:ok, "plugin\n-v\n"}
      assert {:ok, environment} = call(plugin, "environment")

      assert environment |> String.split("\n", trim: true) |> Enum.sort() == [
               "HOME=/none",
               "LANG=C"
             ]
    end

    test "standard input, for each instance anew" do
      plugin = wasi!(stdin: <<0, 255, "input">>)
      assert call(plugin, "read_stdin") == {:ok, <<0, 255, "input">>}
      assert call(plugin, "read_stdin") == {:ok, ""}
      assert Vitrine.reset(plugin) == :ok
      assert call(plugin, "read_stdin") == {:ok, <<0, 255, "input">>}
    end

    test "standard input of one call, whatever its instance has" do
      plugin = wasi!(stdin: "own")

      assert Vitrine.call(plugin, "read_stdin", "", stdin: <<0, 255, "call">>) ==
               {:ok, <<0, 255, "call">>}

      assert Vitrine.call(plugin, "read_stdin", "", stdin: ["io", ?d]) == {:ok, "iod"}
      assert Vitrine.call(plugin, "read_stdin", "", stdin: "") == {:ok, ""}
      assert call(plugin, "read_stdin") == {:ok, "own"}
      assert call(plugin, "read_stdin") == {:ok, ""}
      assert Vitrine.call(plugin, "read_stdin", "", stdin: "again") == {:ok, "again"}
    end

    test "standard input drops what a call did not read" do
      plugin = wasi!()
      assert Vitrine.call(plugin, "now", "", stdin: "left") |> elem(0) == :ok
      assert call(plugin, "read_stdin") == {:ok, ""}
      assert reason(Vitrine.call(plugin, "nothing", "", stdin: "left")) == :function_not_found
      assert reason(Vitrine.call(plugin, "exit_with", "3", stdin: "left")) == :exit
      assert call(plugin, "read_stdin") == {:ok, ""}

      assert reason(Vitrine.call(plugin, "sleep_ms", "60000", stdin: "left", timeout: 50)) ==
               :timeout

      assert call(plugin, "read_stdin") == {:ok, ""}
    end

    test "standard input of one call reaches servers, pools, single runs and traces" do
      options = [source: wasm("c_wasi"), wasi: [stdin: "own"]]
      server = start_supervised!({Vitrine.Server, options})
      pool = start_supervised!({Vitrine.Pool, options ++ [size: 1]})
      compiled = Vitrine.compile!(wasm("c_wasi"), wasi: true)

      for callable <- [server, pool] do
        assert Vitrine.call(callable, "read_stdin", "", stdin: "x") == {:ok, "x"}

        assert Vitrine.call(callable, "read_stdin", "", stdin: "y", trace: &send(self(), &1)) ==
                 {:ok, "y"}

        assert_received %{kind: :call, result: {:ok, "y"}}
        assert Vitrine.call(callable, "read_stdin") == {:ok, "own"}
        assert Vitrine.call(callable, "read_stdin") == {:ok, ""}
      end

      assert Vitrine.run(compiled, "read_stdin", "", stdin: "x") == {:ok, "x"}
      assert {{:ok, "x"}, [_]} = Vitrine.trace(compiled, "read_stdin", "", stdin: "x")
      large = String.duplicate("z", 1_000_000)
      assert Vitrine.call(pool, "read_stdin", "", stdin: large) == {:ok, large}
    end

    test "standard input for a plugin without WASI raises" do
      options = [source: wat("rc"), name: nil]
      server = start_supervised!({Vitrine.Server, options})
      pool = start_supervised!({Vitrine.Pool, options})

      for callable <- [new!(wat("rc")), server, pool] do
        assert_raise ArgumentError, ~r/:stdin has no effect: .* without WASI/, fn ->
          Vitrine.call(callable, "rc_1", "", stdin: "x")
        end

        assert error!(Vitrine.call(callable, "rc_1")).code == 1
      end

      assert_raise ArgumentError, ~r/the option :stdin to be a binary or iodata, got: 5/, fn ->
        Vitrine.call(server, "rc_1", "", stdin: 5)
      end
    end

    test "anything unknown raises" do
      for {grants, expected} <- [
            {[args: "no list"], ":args"},
            {[args: ["a\0b"]], ":args of :wasi to have no NUL byte"},
            {[env: %{"" => "1"}], "names in :env of :wasi not to be empty"},
            {[env: %{"A=B" => "1"}], "names in :env of :wasi to have no \"=\".*\"A=B\""},
            {[env: %{"A\0" => "1"}], "names in :env of :wasi to have no NUL byte"},
            {[env: %{"A" => "secret\0"}], "values in :env .*NUL byte.*: that of \"A\" has one$"},
            {[env: [{"A", "1"}, {"A", "2"}]], "each name once in :env of :wasi, got \"A\" twice"},
            {[args: ["a" | "b"]], ":args"},
            {[env: [:no]], ":env"},
            {[env: [{"A", "B"} | {"C", "D"}]], ":env"},
            {[env: %{"A" => "1", b: "2"}],
             ":env of :wasi to map strings to strings, got: {:b, \"2\"}"},
            {[env: %URI{}], ":env"},
            {[:stdin], ":wasi to be a keyword list, got: a list with :stdin in it"},
            {[stdin: 5], ":stdin"},
            {[stdout: :paper], ":stdout"},
            {[network: true], "unknown option of :wasi: :network"},
            {"true", ":wasi"}
          ] do
        assert_raise ArgumentError, ~r/#{expected}/, fn ->
          Vitrine.new(wasm("c_wasi"), wasi: grants)
        end
      end
    end
  end

  describe "printed text" do
    test "is logged line by line, from the calling process" do
      plugin = wasi!(true, name: "printer")
      log = capture_log([metadata: [:plugin, :stream]], fn -> call(plugin, "print_lines") end)

      lines =
        Regex.scan(
          ~r/plugin=printer stream=(\w+) \[(\w+)\] plugin "printer", function "print_lines": ?(.*)/,
          log,
          capture: :all_but_first
        )

      {stdout, stderr} = Enum.split_with(lines, &(hd(&1) == "stdout"))

      assert stdout |> Enum.map(&tl/1) ==
               Enum.map(
                 ["first line", "second line", "", "fourth line", "unfinished"],
                 &["info", &1]
               )

      assert stderr == [["stderr", "warning", "a warning"]]
    end

    test "is logged at the configured level if the plugin's level allows it" do
      plugin = wasi!(stdout: {:log, :debug}, stderr: {:log, :error})

      assert capture_log(fn -> call(plugin, "print", "out") end) =~
               ~s([debug] plugin "c_wasi", function "print": out)

      assert capture_log(fn -> call(plugin, "print_error", "err") end) =~
               ~s([error] plugin "c_wasi", function "print_error": err)

      quiet = wasi!(true, log_level: :warning)
      assert Vitrine.OwnLog.lines(fn -> call(quiet, "print", "out") end) == []
      assert capture_log(fn -> call(quiet, "print_error", "err") end) =~ "err"
    end

    test "is captured" do
      plugin = wasi!(stdout: :capture, stderr: :capture)
      assert Vitrine.OwnLog.lines(fn -> call(plugin, "print_lines") end) == []
      expected = "first line\nsecond line\n\nfourth line\nunfinished"
      assert Vitrine.take_printed(plugin) == %{stdout: expected, stderr: "a warning\n"}
      assert Vitrine.take_printed(plugin) == %{stdout: "", stderr: ""}
    end

    test "is captured up to a limit" do
      plugin = wasi!(stdout: :capture)
      text = String.duplicate("x", 700_000)
      for _ <- 1..3, do: assert({:ok, _} = call(plugin, "print", text))
      assert byte_size(Vitrine.take_printed(plugin).stdout) == 1_048_576
    end

    test "is dropped" do
      plugin = wasi!(stdout: :drop, stderr: :drop)
      assert Vitrine.OwnLog.lines(fn -> call(plugin, "print_lines") end) == []
      assert Vitrine.take_printed(plugin) == %{stdout: "", stderr: ""}
    end

    test "is delivered some lines at a time, so that the timeout ends many of them" do
      source = ~S|
        (module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (data (i32.const 0) "\10\00\00\00\00\fa\00\00")
          (func (export "lines")
            (memory.fill (i32.const 16) (i32.const 10) (i32.const 64000))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
      |
      plugin = new!(source, wasi: [stdout: {:log, :debug}], log_level: :off)
      {{:ok, ""}, events} = Vitrine.trace(plugin, "lines", "", max_events: 2_000, timeout: 60_000)
      printed = for %{kind: :print, text: text} <- events, do: byte_size(text)
      assert printed == List.duplicate(64, 1_000)

      slow = fn event -> if event.kind == :print, do: Process.sleep(10) end
      result = Vitrine.call(plugin, "lines", "", timeout: 100, trace: slow)
      assert reason(result) == :timeout
    end

    test "is logged before an exit, too" do
      plugin = wasi!()
      assert capture_log(fn -> call(plugin, "print", "last words") end) =~ "last words"
      assert error!(call(plugin, "exit_with", "3")).code == 3
    end
  end

  describe "allowed paths" do
    setup do
      directory =
        Path.join(System.tmp_dir!(), "vitrine-wasi-#{System.unique_integer([:positive])}")

      File.mkdir_p!(Path.join(directory, "inner"))
      File.write!(Path.join(directory, "file.txt"), "hello world!")
      on_exit(fn -> File.rm_rf!(directory) end)
      %{directory: directory}
    end

    test "can be read and written", %{directory: directory} do
      plugin = wasi!(true, allowed_paths: %{directory => "/data"})
      assert call(plugin, "read_file", "/data/file.txt") == {:ok, "hello world!"}
      assert call(plugin, "stat", "/data/file.txt") == {:ok, "file 12"}
      assert call(plugin, "stat", "/data/inner") == {:ok, "directory"}
      assert {:ok, names} = call(plugin, "list_directory", "/data")
      assert ["file.txt", "inner"] -- String.split(names, "\n", trim: true) == []
      assert {:ok, _} = call(plugin, "write_file", "/data/new.txt\nwritten")
      assert File.read!(Path.join(directory, "new.txt")) == "written"
      assert {:ok, _} = call(plugin, "rename_file", "/data/new.txt\n/data/other.txt")
      assert {:ok, _} = call(plugin, "delete_file", "/data/other.txt")
      assert {:ok, _} = call(plugin, "make_directory", "/data/made")
      assert File.ls!(directory) |> Enum.sort() == ["file.txt", "inner", "made"]
    end

    test "with ro: can only be read", %{directory: directory} do
      plugin =
        new!(
          %{wasm: [%{path: wasm("c_wasi")}], allowed_paths: %{("ro:" <> directory) => "/data"}},
          wasi: true
        )

      assert call(plugin, "read_file", "/data/file.txt") == {:ok, "hello world!"}

      for {function, input} <- [
            {"write_file", "/data/new.txt\nx"},
            {"write_file", "/data/file.txt\nx"},
            {"rename_file", "/data/file.txt\n/data/other.txt"},
            {"delete_file", "/data/file.txt"},
            {"make_directory", "/data/made"}
          ] do
        assert message(plugin, function, input) =~ ~r/not permitted|Read-only|Permission denied/
      end

      assert File.ls!(directory) |> Enum.sort() == ["file.txt", "inner"]
      assert File.read!(Path.join(directory, "file.txt")) == "hello world!"
    end

    test "end at their directory, also for links", %{directory: directory} do
      File.ln_s!("/etc/passwd", Path.join(directory, "link"))

      plugin =
        wasi!(true,
          allowed_paths: %{Path.join(directory, "inner") => "/data", directory => "/all"}
        )

      for path <- ["/data/../file.txt", "/etc/passwd", "/all/link", "/all/../../etc/passwd"] do
        assert {:error, %{reason: :guest_error}} = call(plugin, "read_file", path)
      end
    end

    test "that do not exist are named in the error" do
      error =
        error!(Vitrine.new(wasm("c_wasi"), wasi: true, allowed_paths: %{"/not/there" => "/x"}))

      assert error.reason == :manifest
      assert error.message =~ "/not/there"
    end

    test "without WASI are refused, for they would have no effect" do
      paths = %{"/srv" => "/x"}

      for load <- [&Vitrine.new/2, &Vitrine.compile/2] do
        assert_raise ArgumentError,
                     ~r/:allowed_paths has no effect without WASI.*wasi: true/,
                     fn ->
                       load.(wat("rc"), allowed_paths: paths)
                     end

        error = error!(load.(%{wasm: [%{path: wat("rc")}], allowed_paths: paths}, []))
        assert error.reason == :manifest
        assert error.message =~ ~s(allowed_paths has no effect: it grants "/srv")
        assert error.message =~ "give wasi: true"
      end

      assert {:ok, _} = Vitrine.new(wat("rc"), allowed_paths: %{})
    end

    test "are refused where a guest would find two at one place" do
      module = %{path: wasm("c_wasi")}

      alike = [{"/x", "/x"}, {"/x", "/x/"}, {"/", "//"}, {"/x", "x"}, {"/x", "/./x"}, {".", "/"}]

      for {one, other} <- alike do
        paths = %{"/srv/a" => one, "ro:/srv/b" => other}
        error = error!(Vitrine.new(%{wasm: [module], allowed_paths: paths}, wasi: true))
        assert error.reason == :manifest
        assert error.message =~ "must give each directory a path of its own in the guest, got"
        assert error.message =~ ~s(for both "/srv/a" and "ro:/srv/b")

        assert_raise ArgumentError, ~r/the option allowed_paths must give each/, fn ->
          Vitrine.new(module.path, wasi: true, allowed_paths: paths)
        end

        manifest = %{wasm: [module], allowed_paths: %{"/srv/a" => one}}

        assert_raise ArgumentError, ~r/the manifest's grant two directories as ".*"/, fn ->
          Vitrine.new(manifest, wasi: true, allowed_paths: %{"/srv/b" => other})
        end
      end
    end

    test "are refused with a NUL byte in them" do
      for paths <- [%{"/srv\0" => "/x"}, %{"/srv" => "/x\0y"}] do
        error =
          error!(
            Vitrine.new(%{wasm: [%{path: wasm("c_wasi")}], allowed_paths: paths}, wasi: true)
          )

        assert error.reason == :manifest
        assert error.message =~ "without a NUL byte"
      end

      assert_raise ArgumentError, ~r/without a NUL byte/, fn ->
        Vitrine.new(wat("rc"), coredump: "/tmp/core\0")
      end
    end
  end

  describe "sleeping" do
    test "holds no thread: while a hundred sleep for an hour, another plugin is called" do
      plugins = for _ <- 1..100, do: wasi!()
      sleepers = for plugin <- plugins, do: running!(plugin, "sleep_ms", "3600000")
      assert {:ok, _} = call(wasi!(), "sleep_ms", "1")
      assert Enum.all?(sleepers, &Process.alive?/1)
      for sleeper <- sleepers, do: Process.exit(sleeper, :kill)
      for plugin <- plugins, do: eventually(fn -> match?({:ok, _}, call(plugin, "now")) end)
    end

    test "obeys the timeout and the end of the process" do
      plugin = wasi!()
      assert reason(Vitrine.call(plugin, "sleep_ms", "3600000", timeout: 50)) == :timeout
      sleeper = running!(plugin, "sleep_ms", "3600000")
      Process.exit(sleeper, :kill)
      eventually(fn -> match?({:ok, _}, call(plugin, "now")) end)
    end

    test "can be cancelled" do
      plugin = wasi!()
      task = Task.async(fn -> Vitrine.call(plugin, "sleep_ms", "3600000", timeout: :infinity) end)
      in_call!(plugin)
      Vitrine.cancel(plugin)
      assert reason(Task.await(task, 60_000)) == :cancelled
    end
  end

  describe "proc_exit" do
    test "with 0 is success, the other codes are errors that have them" do
      plugin = wasi!()
      assert call(plugin, "exit_with", "0") == {:ok, ""}

      for code <- [1, 125, 126, 255] do
        error = error!(call(plugin, "exit_with", "#{code}"))
        assert {error.reason, error.code} == {:exit, code}
      end

      assert {:ok, _} = call(plugin, "now")
    end
  end
end
