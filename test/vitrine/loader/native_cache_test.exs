defmodule Vitrine.Loader.NativeCacheTest do
  # Not async: the application's environment is everybody's.
  use ExUnit.Case, async: false

  @moduletag :slow

  import ExUnit.CaptureLog
  import Vitrine.Guests

  setup do
    directory = Path.join(System.tmp_dir!(), "vitrine-#{System.unique_integer([:positive])}")
    File.rm_rf!(directory)
    put_env(cache: true, cache_dir: directory)

    on_exit(fn ->
      put_env(cache: false)
      for key <- [:cache_dir, :cache_max_bytes], do: Application.delete_env(:vitrine, key)
      File.rm_rf!(directory)
    end)

    {:ok, directory: directory}
  end

  defp put_env(env), do: for({key, value} <- env, do: Application.put_env(:vitrine, key, value))

  # Of its own for each test: what is in use somewhere is neither compiled nor looked for.
  defp module(name) do
    "(module (; #{name} #{System.unique_integer()} ;) (func (export \"run\") (result i32) (i32.const 5)))"
  end

  defp load!(source, options \\ []) do
    plugin = new!(source, options)
    assert error!(Vitrine.call(plugin, "run")).code == 5
  end

  defp entries(directory), do: Path.wildcard(Path.join(directory, "native/*"))
  defp inodes(directory), do: for(path <- entries(directory), do: {path, File.stat!(path).inode})

  # Loads the modules in another OS process, which `shell` prepares.
  defp elsewhere(directory, sources, shell \\ ":") do
    path = Path.join(directory, "sources-#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    File.write!(path, :erlang.term_to_binary(sources))

    script = """
    Application.put_env(:vitrine, :cache_dir, #{inspect(directory)})
    Application.put_env(:vitrine, :fuse, #{Application.get_env(:vitrine, :fuse, true)})

    for source <- :erlang.binary_to_term(File.read!(#{inspect(path)})) do
      {:ok, plugin} = Vitrine.new(source)
      {:error, %{code: 5}} = Vitrine.call(plugin, "run")
    end
    """

    ebin = Path.join(:code.lib_dir(:vitrine), "ebin")
    elixir = ["-c", shell <> ~S|; exec elixir "$@"|, "sh", "-pa", ebin, "-e", script]
    {output, status} = System.cmd("sh", elixir, stderr_to_stdout: true)
    assert {output, status} == {"", 0}
  end

  describe "native code" do
    test "is kept beside downloads", %{directory: directory} do
      load!(module("kept"))
      assert [entry] = entries(directory)
      assert Path.extname(entry) == ".native"
      assert Bitwise.band(File.stat!(entry).mode, 0o777) == 0o600
      assert Bitwise.band(File.stat!(Path.dirname(entry)).mode, 0o777) == 0o700
    end

    test "is found by the next run, and what is damaged is not run", %{directory: directory} do
      sources = [module("next"), module("damaged")]
      Enum.each(sources, &load!/1)
      before = inodes(directory)
      elsewhere(directory, sources)
      assert inodes(directory) == before

      for {entry, _} <- before do
        File.ln!(entry, Path.join(directory, Path.basename(entry)))
        <<start::binary-size(200), byte, rest::binary>> = File.read!(entry)
        File.write!(entry, [start, Bitwise.bxor(byte, 1), rest])
      end

      elsewhere(directory, sources)
      for {entry, inode} <- before, do: assert(File.stat!(entry).inode != inode)
    end

    test "is written and read by several OS processes at once", %{directory: directory} do
      sources = for n <- 1..30, do: module("several #{n}")

      1..3
      |> Enum.map(fn _ -> Task.async(fn -> elsewhere(directory, Enum.shuffle(sources)) end) end)
      |> Task.await_many(60_000)

      assert length(entries(directory)) == 30
      before = inodes(directory)
      elsewhere(directory, sources)
      assert inodes(directory) == before
    end

    test "is named as the origin by the event of compiling", %{directory: directory} do
      on_exit(&Vitrine.Telemetry.detach/0)
      test = self()

      Vitrine.Telemetry.attach(fn event, _measurements, metadata ->
        if event == [:vitrine, :compile, :stop] and metadata.plugin == "told",
          do: send(test, metadata.from)
      end)

      source = module("told")
      # In processes of their own, with which the module is forgotten.
      load = fn -> Task.await(Task.async(fn -> load!(source, name: "told") end), 60_000) end
      load.()
      assert_receive :compiler
      [entry] = entries(directory)
      eventually(fn -> load.() && receive(do: (from -> from == :disk)) end)
      File.write!(entry, "damaged")
      eventually(fn -> load.() && receive(do: (from -> from == :compiler)) end)
    end

    test "has an entry of its own for each setting", %{directory: directory} do
      source = module("settings")
      load!(source)
      load!(source, fuel: 1000)
      load!(source, coredump: Path.join(directory, "core"))
      assert length(entries(directory)) == 3
    end

    test "is kept up to a size", %{directory: directory} do
      load!(module("first"))
      [entry] = entries(directory)
      size = File.stat!(entry).size
      File.touch!(entry, System.os_time(:second) - 60)
      put_env(cache_max_bytes: div(size * 3, 2))
      load!(module("second"))
      assert [other] = entries(directory)
      assert other != entry
    end
  end

  describe "no cache" do
    test "is used where it is switched off", %{directory: directory} do
      load!(module("option"), cache: false)
      put_env(cache: false)
      load!(module("environment"))
      load!(module("environment over option"), cache: true)
      put_env(cache: true, cache_dir: false)
      load!(module("no directory"))
      assert entries(directory) == []
      refute File.exists?(directory)
    end

    test "is used where nothing can be written", %{directory: directory} do
      File.write!(directory, "a file")

      assert capture_log(fn -> load!(module("file")) end) == ""
      put_env(cache_dir: Path.join(directory, "below"))
      assert capture_log(fn -> load!(module("below")) end) == ""
      put_env(cache_dir: "/proc/vitrine")
      assert capture_log(fn -> load!(module("proc")) end) == ""
    end

    test "is used where others can write, which is logged once", %{directory: directory} do
      native = Path.join(directory, "native")
      File.mkdir_p!(native)
      File.chmod!(native, 0o777)

      log = capture_log(fn -> load!(module("writable")) end)
      assert log =~ "keeps no native code in #{native}"
      assert log =~ "can be written to by others"
      assert capture_log(fn -> load!(module("still writable")) end) == ""
      assert entries(directory) == []
    end
  end

  describe "a disk that is full" do
    # Of each load where the code came from.
    defp origins(loads) do
      on_exit(&Vitrine.Telemetry.detach/0)
      test = self()

      Vitrine.Telemetry.attach(fn event, _measurements, metadata ->
        if event == [:vitrine, :compile, :stop] and metadata.plugin == "full",
          do: send(test, {:from, metadata.from})
      end)

      for load <- loads do
        Task.await(Task.async(load), 60_000)
        assert_receive {:from, from}
        from
      end
    end

    defp load_all(sources),
      do: origins(for source <- sources, do: fn -> load!(source, name: "full") end)

    fault = Vitrine.SmallDisk.fault()
    if fault, do: @tag(skip: fault)

    test "keeps complete entries and no partial one", %{directory: directory} do
      native = Path.join(directory, "native")
      :ok = Vitrine.SmallDisk.mount(native, "96k")

      try do
        sources = for n <- 1..12, do: module("full #{n}")
        log = capture_log(fn -> assert Enum.uniq(load_all(sources)) == [:compiler] end)
        assert log == ""
        kept = entries(directory)
        assert length(kept) in 1..11
        assert Enum.all?(kept, &(Path.extname(&1) == ".native"))
        # One that could not be kept among the small ones.
        section = <<0, 10, 1, "x", System.unique_integer([:positive])::64>>
        bytes = File.read!(wasm("c")) <> section
        large = fn -> new!(bytes, name: "full", host_functions: host_functions()) end
        assert origins([large]) == [:compiler]
        assert entries(directory) == kept

        # The entries that are there are whole, and when there is room again, the room is used.
        elsewhere(directory, Enum.take(sources, length(kept)))
        assert entries(directory) == kept
        File.rm!(hd(kept))
        load_all([module("full no more")])
        assert length(entries(directory)) == length(kept)
      after
        Vitrine.SmallDisk.unmount(native)
      end
    end

    if fault, do: @tag(skip: fault)

    test "or read-only is still read", %{directory: directory} do
      native = Path.join(directory, "native")
      :ok = Vitrine.SmallDisk.mount(native, "1m")

      try do
        source = module("read-only")
        # In another OS process: here it would be in memory for a while.
        elsewhere(directory, [source])
        kept = inodes(directory)
        :ok = Vitrine.SmallDisk.read_only(native)
        assert origins([fn -> load!(source, name: "full") end]) == [:disk]
        assert capture_log(fn -> load_all([module("not kept")]) end) == ""
        assert inodes(directory) == kept
      after
        Vitrine.SmallDisk.unmount(native)
      end
    end

    # The limit of a file's size fails a write in its middle as a full disk does, and needs no root.
    test "in the middle of an entry leaves no part of it", %{directory: directory} do
      elsewhere(directory, [module("cut off")], "trap '' XFSZ; ulimit -f 2")
      assert File.dir?(Path.join(directory, "native"))
      assert entries(directory) == []
    end
  end

  test "wrong options and settings raise" do
    assert_raise ArgumentError, ~r/:cache/, fn -> Vitrine.new("(module)", cache: "/tmp") end

    for {key, value} <- [cache: 1, cache_max_bytes: "1G", cache_max_bytes: -1, cache_dir: 5] do
      put_env(cache: true, cache_dir: false)
      put_env([{key, value}])
      assert_raise ArgumentError, ~r/#{inspect(key)}/, fn -> Vitrine.new("(module)") end
      Application.delete_env(:vitrine, key)
    end
  end
end
