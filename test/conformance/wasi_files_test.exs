defmodule Vitrine.Conformance.WasiFilesTest do
  # Files of granted directories: nothing in them holds a thread, paths mean what POSIX says, and what is added
  # can be bounded.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  # Errors as WASI numbers them.
  @dquot 19
  @noent 44
  @notdir 54
  @nxio 60
  @xdev 75

  setup do
    directory =
      Path.join(System.tmp_dir!(), "vitrine-files-#{System.unique_integer([:positive])}")

    File.mkdir_p!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    %{directory: directory}
  end

  @imports [
    path_open: "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    fd_close: "i32",
    fd_renumber: "i32 i32",
    fd_read: "i32 i32 i32 i32",
    fd_write: "i32 i32 i32 i32",
    fd_pwrite: "i32 i32 i32 i64 i32",
    fd_seek: "i32 i64 i32 i32",
    fd_readdir: "i32 i32 i32 i64 i32",
    fd_filestat_get: "i32 i32",
    fd_filestat_set_size: "i32 i64",
    fd_fdstat_set_flags: "i32 i32",
    path_filestat_get: "i32 i32 i32 i32 i32",
    path_filestat_set_times: "i32 i32 i32 i32 i64 i64 i32",
    path_readlink: "i32 i32 i32 i32 i32 i32",
    path_create_directory: "i32 i32 i32",
    path_symlink: "i32 i32 i32 i32 i32",
    path_link: "i32 i32 i32 i32 i32 i32 i32",
    path_rename: "i32 i32 i32 i32 i32 i32",
    path_unlink_file: "i32 i32 i32",
    path_remove_directory: "i32 i32 i32",
    poll_oneoff: "i32 i32 i32 i32"
  ]

  # A plugin whose functions are given as pieces of text format, each of which leaves an errno: the function's
  # return code. 'x' in them stands for the place and the length of a path.
  defp files!(functions, options) do
    code = Enum.map_join(functions, "\n", fn {name, code} -> function(name, code) end)

    texts =
      ~r/'([^']*)'/ |> Regex.scan(code, capture: :all_but_first) |> List.flatten() |> Enum.uniq()

    places =
      texts
      |> Enum.scan({nil, 0, 1024}, fn text, {_, size, at} ->
        {text, byte_size(text), at + size}
      end)

    code =
      Enum.reduce(places, code, fn {text, size, at}, code ->
        String.replace(code, "'#{text}'", "(i32.const #{at}) (i32.const #{size})")
      end)

    imports =
      for {name, params} <- @imports do
        ~s|(import "wasi_snapshot_preview1" "#{name}" (func $#{name} (param #{params}) (result i32)))\n|
      end

    data = for {text, _, at} <- places, do: ~s|(data (i32.const #{at}) "#{text}")\n|

    new!(
      """
      (module #{imports}
        (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
        (import "extism:host/env" "output_set" (func $output (param i64 i64)))
        (memory (export "memory") 20) #{data}
        (global $fd (mut i32) (i32.const 0))
        (func $give (param $at i32) (param $size i32)
          (local $block i64) (local $i i32)
          (local.set $block (call $alloc (i64.extend_i32_u (local.get $size))))
          (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $size)))
            (call $store (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
              (i32.load8_u (i32.add (local.get $at) (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
          (call $output (local.get $block) (i64.extend_i32_u (local.get $size))))
        (func $open (param $path i32) (param $size i32) (param $how i32) (param $rights i64)
          (param $flags i32) (result i32) (local $errno i32)
          (local.set $errno (call $path_open (i32.const 3) (i32.const 1) (local.get $path) (local.get $size)
            (local.get $how) (local.get $rights) (local.get $rights) (local.get $flags) (i32.const 0)))
          (global.set $fd (i32.load (i32.const 0)))
          (local.get $errno))
        (func $write (param $size i32) (result i32)
          (i32.store (i32.const 8) (i32.const 65536))
          (i32.store (i32.const 12) (local.get $size))
          (call $fd_write (global.get $fd) (i32.const 8) (i32.const 1) (i32.const 16)))
        (func $pwrite (param $size i32) (param $at i64) (result i32)
          (i32.store (i32.const 8) (i32.const 65536))
          (i32.store (i32.const 12) (local.get $size))
          (call $fd_pwrite (global.get $fd) (i32.const 8) (i32.const 1) (local.get $at) (i32.const 16)))
        #{code})
      """,
      Keyword.put_new(options, :wasi, true)
    )
  end

  defp function(name, code), do: ~s|(func (export "#{name}") (result i32) #{code})|

  # How a file is opened.
  @read "(i32.const 0) (i64.const 2) (i32.const 0)"
  @write "(i32.const 1) (i64.const 66) (i32.const 0)"
  @append "(i32.const 1) (i64.const 64) (i32.const 1)"
  @truncate "(i32.const 9) (i64.const 64) (i32.const 0)"
  @close "(call $fd_close (global.get $fd))"

  defp errno(plugin, function) do
    case Vitrine.call(plugin, function, "", timeout: 20_000) do
      {:ok, _} -> 0
      {:error, %{reason: :guest_error, code: code}} -> code
      {:error, error} -> error
    end
  end

  describe "a path that is not a file" do
    test "cannot be opened, which holds no thread: a FIFO, a socket, links to them, a device",
         context do
      %{directory: directory} = context
      {_, 0} = System.cmd("mkfifo", [Path.join(directory, "fifo")])
      {:ok, socket} = :gen_tcp.listen(0, ifaddr: {:local, Path.join(directory, "socket")})
      File.ln_s!("fifo", Path.join(directory, "link"))
      names = ["fifo", "socket", "link", "./fifo"]

      plugin =
        files!(
          for name <- names,
              {how, flags} <- [read: @read, write: @write, append: @append, truncate: @truncate] do
            {"#{how} #{name}", "(call $open '#{name}' #{flags})"}
          end ++
            [
              {"stat",
               "(call $path_filestat_get (i32.const 3) (i32.const 1) 'fifo' (i32.const 64))"},
              {"rename", "(call $path_rename (i32.const 3) 'fifo' (i32.const 3) 'other')"},
              {"delete", "(call $path_unlink_file (i32.const 3) 'other')"}
            ],
          allowed_paths: %{directory => "/d"}
        )

      for name <- names, how <- ~w(read write append truncate) do
        assert {how, name, errno(plugin, "#{how} #{name}")} == {how, name, @nxio}
      end

      assert errno(plugin, "stat") == 0
      assert errno(plugin, "rename") == 0
      assert errno(plugin, "delete") == 0
      :gen_tcp.close(socket)

      device =
        files!([{"open", "(call $open 'null' #{@read})"}], allowed_paths: %{"/dev" => "/d"})

      assert errno(device, "open") == @nxio
    end

    test "takes no threads or descriptors, however often it is opened", %{
      directory: directory
    } do
      {_, 0} = System.cmd("mkfifo", [Path.join(directory, "fifo")])
      File.write!(Path.join(directory, "file"), "x")

      functions = [
        {"fifo", "(call $open 'fifo' #{@read})"},
        {"file", "(call $open 'file' #{@read}) (drop #{@close})"}
      ]

      plugin = files!(functions, allowed_paths: %{directory => "/d"})
      # There are 512 threads for files in wasmtime-wasi.
      for _ <- 1..600, do: assert(errno(plugin, "fifo") == @nxio)
      other = files!(functions, allowed_paths: %{directory => "/d"})
      assert errno(other, "file") == 0
    end

    test "cannot be put in the place of a file while that is opened", %{directory: directory} do
      [fifo, file, name] = for name <- ~w(fifo file name), do: Path.join(directory, name)
      {_, 0} = System.cmd("mkfifo", [fifo])
      File.write!(file, "x")

      open = ~s|
        (local $left i32) (local $errno i32)
        (local.set $left (i32.const 3000))
        (loop $next
          (local.set $errno (call $open 'name' #{@read}))
          (if (i32.eqz (local.get $errno)) (then (drop #{@close})))
          (if (i32.eq (local.get $errno) (i32.const #{@noent})) (then (local.set $errno (i32.const 0))))
          (if (i32.eq (local.get $errno) (i32.const #{@nxio})) (then (local.set $errno (i32.const 0))))
          (if (local.get $errno) (then (return (local.get $errno))))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $next (local.get $left)))
        (i32.const 0)|

      plugin = files!([{"open", open}], allowed_paths: %{directory => "/d"})

      exchange = fn exchange ->
        for other <- [fifo, file], do: :ok = File.rename(other, name) && File.rename(name, other)
        exchange.(exchange)
      end

      exchanger = spawn_link(fn -> exchange.(exchange) end)
      assert errno(plugin, "open") == 0
      Process.unlink(exchanger)
      Process.exit(exchanger, :kill)
    end

    test "is polled among 64 files at most", %{directory: directory} do
      subscriptions = fn count ->
        ~s|
          (local $i i32) (local $at i32) (local $errno i32)
          (local.set $errno (call $open 'file' #{@write}))
          (loop $next
            (local.set $at (i32.add (i32.const 70000) (i32.mul (local.get $i) (i32.const 48))))
            (i32.store8 offset=8 (local.get $at) (i32.const 1))
            (i32.store offset=16 (local.get $at) (global.get $fd))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const #{count}))))
          (call $poll_oneoff (i32.const 70000) (i32.const 140000) (i32.const #{count}) (i32.const 0))|
      end

      plugin =
        files!(for(count <- [1, 64, 65], do: {"poll #{count}", subscriptions.(count)}),
          allowed_paths: %{directory => "/d"}
        )

      assert for(count <- [1, 64, 65], do: errno(plugin, "poll #{count}")) == [0, 0, 28]
    end
  end

  describe "a path with a slash at its end" do
    test "names a directory, and is ENOTDIR where that is another file", %{directory: directory} do
      File.write!(Path.join(directory, "file"), "x")
      File.write!(Path.join(directory, "other"), "x")
      File.mkdir!(Path.join(directory, "inner"))
      File.ln_s!("file", Path.join(directory, "to_file"))
      File.ln_s!("inner", Path.join(directory, "to_inner"))
      three = "(i32.const 3)"

      cases = [
        {"stat file/", "(call $path_filestat_get #{three} (i32.const 1) 'file/' (i32.const 64))",
         @notdir},
        {"stat file//",
         "(call $path_filestat_get #{three} (i32.const 0) 'file//' (i32.const 64))", @notdir},
        {"stat file/.",
         "(call $path_filestat_get #{three} (i32.const 0) 'file/.' (i32.const 64))", @notdir},
        {"stat to_file/./.",
         "(call $path_filestat_get #{three} (i32.const 0) 'to_file/./.' (i32.const 64))",
         @notdir},
        {"stat to_file/",
         "(call $path_filestat_get #{three} (i32.const 0) 'to_file/' (i32.const 64))", @notdir},
        {"stat inner/",
         "(call $path_filestat_get #{three} (i32.const 1) 'inner/' (i32.const 64))", 0},
        {"stat to_inner/",
         "(call $path_filestat_get #{three} (i32.const 1) 'to_inner/' (i32.const 64))", 0},
        {"stat none/", "(call $path_filestat_get #{three} (i32.const 1) 'none/' (i32.const 64))",
         @noent},
        {"times file/",
         "(call $path_filestat_set_times #{three} (i32.const 1) 'file/' (i64.const 1) (i64.const 1) (i32.const 5))",
         @notdir},
        {"open file/", "(call $open 'file/' #{@read})", @notdir},
        {"open inner/", "(call $open 'inner/' #{@read})", 0},
        {"readlink to_file/",
         "(call $path_readlink #{three} 'to_file/' (i32.const 64) (i32.const 64) (i32.const 0))",
         @notdir},
        {"unlink file/", "(call $path_unlink_file #{three} 'file/')", @notdir},
        {"unlink to_file/", "(call $path_unlink_file #{three} 'to_file/')", @notdir},
        {"rmdir file/", "(call $path_remove_directory #{three} 'file/')", @notdir},
        {"rename file/", "(call $path_rename #{three} 'file/' #{three} 'new')", @notdir},
        {"rename file to other/", "(call $path_rename #{three} 'file' #{three} 'other/')",
         @notdir},
        {"rename file to new/", "(call $path_rename #{three} 'file' #{three} 'new/')", @notdir},
        {"link file/", "(call $path_link #{three} (i32.const 0) 'file/' #{three} 'new')",
         @notdir},
        {"link file to other/",
         "(call $path_link #{three} (i32.const 0) 'file' #{three} 'other/')", @notdir},
        {"link file to new/", "(call $path_link #{three} (i32.const 0) 'file' #{three} 'new/')",
         @noent},
        {"symlink new/", "(call $path_symlink 'file' #{three} 'new/')", @noent},
        {"symlink file/", "(call $path_symlink 'file' #{three} 'file/')", @notdir},
        {"mkdir made/", "(call $path_create_directory #{three} 'made/')", 0},
        {"rename made/ to moved/", "(call $path_rename #{three} 'made/' #{three} 'moved/')", 0},
        {"rmdir moved/", "(call $path_remove_directory #{three} 'moved/')", 0}
      ]

      plugin =
        files!(for({name, code, _} <- cases, do: {name, code}),
          allowed_paths: %{directory => "/d"}
        )

      for {name, _, expected} <- cases,
          do: assert({name, errno(plugin, name)} == {name, expected})

      assert Enum.sort(File.ls!(directory)) == ~w(file inner other to_file to_inner)
    end
  end

  describe "a directory" do
    # Reads the whole of it in pieces, of which the last entry is cut and asked for again, as libc does, and gives the
    # entries one after the other, each as its head and its name. `each` is done with each name.
    defp list(size, each \\ "") do
      ~s|
        (local $cookie i64) (local $used i32) (local $at i32) (local $end i32) (local $out i32)
        (local $name i32) (local $size i32) (local $errno i32)
        (drop (call $open '.' #{@read}))
        (local.set $out (i32.const 131072))
        (block $over (loop $more
          (local.set $errno (call $fd_readdir (global.get $fd) (i32.const 65536) (i32.const #{size})
            (local.get $cookie) (i32.const 4)))
          (if (local.get $errno) (then (return (local.get $errno))))
          (local.set $used (i32.load (i32.const 4)))
          (local.set $at (i32.const 65536))
          (local.set $end (i32.add (local.get $at) (local.get $used)))
          (block $piece (loop $next
            (br_if $piece (i32.gt_u (i32.add (local.get $at) (i32.const 24)) (local.get $end)))
            (local.set $size (i32.load offset=16 (local.get $at)))
            (local.set $name (i32.add (local.get $at) (i32.const 24)))
            (br_if $piece (i32.gt_u (i32.add (local.get $name) (local.get $size)) (local.get $end)))
            (memory.copy (local.get $out) (local.get $at) (i32.add (local.get $size) (i32.const 24)))
            (local.set $out (i32.add (local.get $out) (i32.add (local.get $size) (i32.const 24))))
            #{each}
            (local.set $cookie (i64.load (local.get $at)))
            (local.set $at (i32.add (local.get $name) (local.get $size)))
            (br $next)))
          (br_if $more (i32.eq (local.get $used) (i32.const #{size})))))
        (drop #{@close})
        (call $give (i32.const 131072) (i32.sub (local.get $out) (i32.const 131072)))
        (i32.const 0)|
    end

    defp entries(
           <<_next::64-little, inode::64-little, size::32-little, kind::32-little, rest::binary>>
         ) do
      <<name::binary-size(size), rest::binary>> = rest
      [{name, kind, inode} | entries(rest)]
    end

    defp entries(""), do: []

    @tag timeout: :timer.minutes(5)
    @tag :slow
    test "is read in small pieces without reading all of it for each", %{directory: directory} do
      names = for n <- 1..2_000, do: "file-number-#{n}"
      for name <- names, do: File.touch!(Path.join(directory, name))
      plugin = files!([{"list", list(100)}], allowed_paths: %{directory => "/d"})
      # It was minutes.
      assert {:ok, output} = Vitrine.call(plugin, "list", "", timeout: 20_000)
      found = for {name, _, _} <- entries(output), do: name
      assert Enum.sort(found) == Enum.sort([".", ".." | names])
    end

    test "has the kinds and the inodes that its files have, in pieces of any size", %{
      directory: directory
    } do
      File.write!(Path.join(directory, "file"), "x")
      File.mkdir!(Path.join(directory, "inner"))
      File.ln_s!("file", Path.join(directory, "link"))
      {_, 0} = System.cmd("mkfifo", [Path.join(directory, "fifo")])
      {:ok, socket} = :gen_tcp.listen(0, ifaddr: {:local, Path.join(directory, "socket")})

      kinds = %{
        "." => 3,
        ".." => 3,
        "file" => 4,
        "inner" => 3,
        "link" => 7,
        "fifo" => 0,
        "socket" => 0
      }

      stats =
        for {name, _} <- kinds, name != ".." do
          {"stat #{name}",
           "(drop (call $path_filestat_get (i32.const 3) (i32.const 0) '#{name}' (i32.const 64)))
            (call $give (i32.const 72) (i32.const 8)) (i32.const 0)"}
        end

      lists = for size <- [30, 31, 64, 100, 4096], do: {"list #{size}", list(size)}
      plugin = files!(stats ++ lists, allowed_paths: %{directory => "/d"})

      for {list, _} <- lists do
        assert {:ok, output} = Vitrine.call(plugin, list)
        found = entries(output)
        assert Map.new(found, fn {name, kind, _} -> {name, kind} end) == kinds
        assert length(found) == map_size(kinds)

        for {name, _, inode} <- found, name != ".." do
          assert {:ok, <<^inode::64-little>>} = Vitrine.call(plugin, "stat #{name}")
        end
      end

      :gen_tcp.close(socket)
    end

    @tag :slow
    test "can be emptied while it is read", %{directory: directory} do
      for n <- 1..500, do: File.touch!(Path.join(directory, "file-#{n}"))

      delete = "(drop (call $path_unlink_file (i32.const 3) (local.get $name) (local.get $size)))"
      plugin = files!([{"empty", list(64, delete)}], allowed_paths: %{directory => "/d"})
      assert {:ok, output} = Vitrine.call(plugin, "empty")
      assert length(entries(output)) == 502
      assert File.ls!(directory) == []
    end

    test "is read anew from its beginning, and shows each entry again where it is asked for",
         context do
      %{directory: directory} = context
      for name <- ~w(a b c), do: File.touch!(Path.join(directory, name))

      piece = fn cookie ->
        ~s|(drop (call $fd_readdir (global.get $fd) (i32.const 65536) (i32.const 25) #{cookie} (i32.const 4)))
           (call $give (i32.const 65536) (i32.const 25)) (i32.const 0)|
      end

      plugin =
        files!(
          [
            {"open", "(call $open '.' #{@read})"},
            {"first", piece.("(i64.const 0)")},
            {"next", piece.("(i64.load (i32.const 65536))")},
            {"close", @close},
            {"list", list(4096)}
          ],
          allowed_paths: %{directory => "/d"}
        )

      assert errno(plugin, "open") == 0
      {:ok, first} = Vitrine.call(plugin, "first")
      {:ok, second} = Vitrine.call(plugin, "next")
      {:ok, _third} = Vitrine.call(plugin, "next")
      assert Vitrine.call(plugin, "first") == {:ok, first}
      assert Vitrine.call(plugin, "next") == {:ok, second}
      assert errno(plugin, "close") == 0
      File.touch!(Path.join(directory, "d"))
      {:ok, output} = Vitrine.call(plugin, "list")
      assert Enum.sort(for {name, _, _} <- entries(output), do: name) == ~w(. .. a b c d)
    end
  end

  describe "descriptors" do
    test "keep their file after renumbering and closing, with 64 at once", context do
      %{directory: directory} = context
      File.write!(Path.join(directory, "file"), "some text")
      File.mkdir!(Path.join(directory, "inner"))

      many = ~s|
        (local $left i32) (local $errno i32)
        (local.set $left (i32.const 64))
        (loop $next
          (local.set $errno (call $open 'file' #{@read}))
          (if (local.get $errno) (then (return (i32.const 1))))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $next (local.get $left)))
        (local.set $errno (call $open 'file' #{@read}))
        (if (i32.ne (local.get $errno) (i32.const 33)) (then (return (i32.const 2))))
        (drop (call $fd_close (i32.const 20)))
        (call $open 'file' #{@read})|

      renumber = ~s|
        (local $file i32)
        (drop (call $open 'file' #{@read}))
        (local.set $file (global.get $fd))
        (drop (call $open 'inner' #{@read}))
        (if (call $fd_renumber (local.get $file) (global.get $fd)) (then (return (i32.const 1))))
        (i32.store (i32.const 8) (i32.const 64))
        (i32.store (i32.const 12) (i32.const 9))
        (if (call $fd_read (global.get $fd) (i32.const 8) (i32.const 1) (i32.const 16)) (then (return (i32.const 2))))
        (call $give (i32.const 64) (i32.load (i32.const 16)))
        (i32.const 0)|

      plugin =
        files!([{"many", many}, {"renumber", renumber}], allowed_paths: %{directory => "/d"})

      assert Vitrine.call(plugin, "renumber") == {:ok, "some text"}
      Vitrine.reset(plugin)
      assert errno(plugin, "many") == 0
    end
  end

  describe "a limit of bytes" do
    setup %{directory: directory} do
      functions = [
        {"create", "(call $open 'file' #{@write})"},
        {"append", "(call $open 'file' #{@append})"},
        {"truncate", "(call $open 'file' #{@truncate})"},
        {"other", "(call $open 'other' #{@write})"},
        {"write 100", "(call $write (i32.const 100))"},
        {"write 60", "(call $write (i32.const 60))"},
        {"write 1", "(call $write (i32.const 1))"},
        {"pwrite", "(call $pwrite (i32.const 10) (i64.const 0))"},
        {"far", "(call $pwrite (i32.const 1) (i64.const 1000000000000))"},
        {"start", "(call $fd_seek (global.get $fd) (i64.const 0) (i32.const 0) (i32.const 32))"},
        {"size 100", "(call $fd_filestat_set_size (global.get $fd) (i64.const 100))"},
        {"size 0", "(call $fd_filestat_set_size (global.get $fd) (i64.const 0))"},
        {"size 101", "(call $fd_filestat_set_size (global.get $fd) (i64.const 101))"},
        {"close", @close},
        {"set append", "(call $fd_fdstat_set_flags (global.get $fd) (i32.const 1))"},
        {"delete", "(call $path_unlink_file (i32.const 3) 'file')"},
        {"delete theirs", "(call $path_unlink_file (i32.const 3) 'theirs')"},
        {"replace", "(call $path_rename (i32.const 3) 'other' (i32.const 3) 'file')"},
        {"move away", "(call $path_rename (i32.const 3) 'file' (i32.const 4) 'file')"},
        {"link", "(call $path_link (i32.const 3) (i32.const 0) 'file' (i32.const 3) 'second')"},
        {"link away",
         "(call $path_link (i32.const 3) (i32.const 0) 'file' (i32.const 4) 'second')"}
      ]

      limited = Path.join(directory, "limited")
      File.mkdir!(limited)
      File.mkdir!(Path.join(directory, "elsewhere"))
      paths = %{limited => "/a", Path.join(directory, "elsewhere") => "/b"}
      wasi = [directory_limits: %{"/a" => [max_bytes: 100]}]
      %{plugin: files!(functions, allowed_paths: paths, wasi: wasi), limited: limited}
    end

    defp all(plugin, functions), do: for(function <- functions, do: errno(plugin, function))

    test "counts the growth of files, not the bytes written", %{plugin: plugin, limited: limited} do
      assert all(plugin, ["create", "write 100", "write 1"]) == [0, 0, @dquot]
      assert all(plugin, ["start", "write 100", "pwrite", "start", "write 60"]) == [0, 0, 0, 0, 0]
      assert errno(plugin, "far") == @dquot
      assert File.stat!(Path.join(limited, "file")).size == 100
    end

    test "holds for writes of very many pieces, and for those that cannot say what they wrote", %{
      limited: limited
    } do
      piece = fn at, size ->
        "(i32.store (i32.const #{at}) (i32.const 65536)) (i32.store (i32.const #{at + 4}) (i32.const #{size}))"
      end

      write =
        &"(call $fd_write (global.get $fd) (i32.const #{&1}) (i32.const #{&2}) (i32.const #{&3}))"

      functions = [
        {"append", "(call $open 'file' #{@append})"},
        # All but one are empty.
        {"many", piece.(131_072 + 8 * 65_538, 5_000) <> write.(131_072, 65_540, 16)},
        {"nowhere", piece.(8, 90) <> write.(8, 1, 0xFFFFFFF0)},
        {"unaligned", piece.(8, 90) <> write.(8, 1, 33)},
        {"write 60", "(call $write (i32.const 60))"}
      ]

      wasi = [directory_limits: %{"/a" => [max_bytes: 100]}]
      plugin = files!(functions, allowed_paths: %{limited => "/a"}, wasi: wasi, on_trap: :keep)
      assert errno(plugin, "append") == 0
      assert errno(plugin, "many") == 28

      for function <- ["nowhere", "unaligned"],
          do: assert(%{reason: :trap} = errno(plugin, function))

      assert File.stat!(Path.join(limited, "file")).size == 0
      assert all(plugin, ["write 60", "write 60"]) == [0, @dquot]
    end

    test "holds at the end of a file, whether it is opened so or becomes so", %{plugin: plugin} do
      assert all(plugin, ["append", "write 60", "write 60"]) == [0, 0, @dquot]
      assert all(plugin, ["close", "create", "write 60", "write 60"]) == [0, 0, 0, @dquot]
      assert all(plugin, ["start", "set append", "write 60"]) == [0, 0, @dquot]
    end

    test "counts a size that is set without writing", %{plugin: plugin, limited: limited} do
      assert all(plugin, ["create", "size 101", "size 100", "write 1"]) == [0, @dquot, 0, 0]
      assert all(plugin, ["other", "write 1"]) == [0, @dquot]
      assert File.stat!(Path.join(limited, "other")).size == 0
    end

    test "is freed by truncating, deleting and replacing", %{plugin: plugin} do
      assert all(plugin, ["create", "write 100", "size 0", "start", "write 100", "close"]) == [
               0,
               0,
               0,
               0,
               0,
               0
             ]

      assert all(plugin, ["truncate", "write 100", "close"]) == [0, 0, 0]
      assert all(plugin, ["other", "write 1", "close", "delete"]) == [0, @dquot, 0, 0]
      assert all(plugin, ["other", "write 100", "close", "replace"]) == [0, 0, 0, 0]
      assert all(plugin, ["other", "write 1"]) == [0, @dquot]
      assert all(plugin, ["replace", "write 100", "close"]) == [0, 0, 0]
    end

    test "is freed when a file that was deleted while open is closed", %{plugin: plugin} do
      assert all(plugin, ["create", "write 100", "delete", "write 1"]) == [0, 0, 0, @dquot]
      assert all(plugin, ["close", "create", "write 100"]) == [0, 0, 0]
      assert all(plugin, ["delete", "create", "write 1"]) == [0, 0, @dquot]
    end

    test "is freed with the last name of a file that has two", %{plugin: plugin, limited: limited} do
      assert all(plugin, ["create", "write 100", "close", "link", "delete"]) == [0, 0, 0, 0, 0]
      assert all(plugin, ["create", "write 1", "close"]) == [0, @dquot, 0]
      File.rename!(Path.join(limited, "second"), Path.join(limited, "file"))
      assert all(plugin, ["delete", "create", "write 100"]) == [0, 0, 0]
    end

    test "does not grow when files that were there before are deleted", %{
      plugin: plugin,
      limited: limited
    } do
      File.write!(Path.join(limited, "theirs"), String.duplicate("x", 10_000))
      assert all(plugin, ["create", "write 100", "delete theirs"]) == [0, 0, 0]
      assert all(plugin, ["write 100", "write 1"]) == [0, @dquot]
    end

    test "holds for all instances together", %{plugin: plugin} do
      assert all(plugin, ["create", "write 100"]) == [0, 0]
      Vitrine.reset(plugin)
      assert all(plugin, ["other", "write 1"]) == [0, @dquot]
    end

    test "is of one directory: nothing is moved or linked to another", %{plugin: plugin} do
      assert all(plugin, ["create", "write 1", "close", "move away", "link away"]) ==
               [0, 0, 0, @xdev, @xdev]
    end
  end

  describe "a limit of files" do
    test "counts files that are made, and is freed by removing them", %{directory: directory} do
      functions = [
        {"file", "(call $open 'file' #{@write}) (drop #{@close})"},
        {"again", "(call $open 'file' #{@write}) (drop #{@close})"},
        {"other", "(call $open 'other' #{@write}) (drop #{@close})"},
        {"directory", "(call $path_create_directory (i32.const 3) 'inner')"},
        {"symlink", "(call $path_symlink 'file' (i32.const 3) 'symlink')"},
        {"link", "(call $path_link (i32.const 3) (i32.const 0) 'file' (i32.const 3) 'link')"},
        {"rename", "(call $path_rename (i32.const 3) 'link' (i32.const 3) 'renamed')"},
        {"delete file", "(call $path_unlink_file (i32.const 3) 'file')"},
        {"delete renamed", "(call $path_unlink_file (i32.const 3) 'renamed')"},
        {"delete directory", "(call $path_remove_directory (i32.const 3) 'inner')"},
        {"delete none", "(call $path_unlink_file (i32.const 3) 'none')"},
        {"deep", "(call $open 'inner/deep' #{@write}) (drop #{@close})"}
      ]

      plugin =
        files!(functions,
          allowed_paths: %{directory => "/a"},
          wasi: [directory_limits: %{"/a" => %{max_files: 3}}]
        )

      assert all(plugin, ["file", "again", "directory", "link"]) == [0, 0, 0, 0]
      assert all(plugin, ["other", "symlink", "deep"]) == [@dquot, @dquot, @dquot]
      assert all(plugin, ["rename", "delete none", "other"]) == [0, @noent, @dquot]
      assert all(plugin, ["delete renamed", "deep", "other"]) == [0, 0, @dquot]
      assert all(plugin, ["delete file", "symlink", "other"]) == [0, 0, @dquot]
      assert Enum.sort(File.ls!(directory)) == ~w(inner symlink)
    end

    test "that is not a number raises" do
      for {limits, message} <- [
            {%{"/b" => []},
             ~s(guest's paths of directories as keys, got: "/b"; those granted are "/a")},
            {%{"/a" => [max_bytes: -1]},
             ~s(expected :max_bytes of "/a" in :directory_limits to be bytes, from 0 to)},
            {%{"/a" => [max_file: 1]}, "did you mean :max_files?"},
            {[max_bytes: 1], ":directory_limits of :wasi to be a map"}
          ] do
        error =
          assert_raise ArgumentError, fn ->
            Vitrine.new(wasm("c_wasi"),
              allowed_paths: %{"/tmp" => "/a"},
              wasi: [directory_limits: limits]
            )
          end

        assert error.message =~ message
      end
    end
  end
end
