defmodule Vitrine.Loader.SourceModuleTest do
  # Bytes that a stranger gave: {:module, bytes} works wherever there is a source.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  @moduletag :tmp_dir

  # A client that must not be asked for anything.
  defmodule NoClient do
    @behaviour Vitrine.HTTP

    @impl true
    def request(request, options) do
      send(options[:tell], {:requested, request.url})
      {:error, "nobody is there"}
    end
  end

  defmodule Served do
    @behaviour Vitrine.HTTP

    @impl true
    def request(_request, options),
      do: {:ok, %Vitrine.HTTP.Response{status: 200, body: options[:body]}}
  end

  setup %{tmp_dir: directory} do
    secret = Path.join(directory, "secret")
    File.write!(secret, "root:x:0:0:hunter2\n")
    other = Path.join(directory, "globex.wasm")
    File.write!(other, ~S|(module (func (export "of_globex")))|)
    {:ok, secret: secret, other: other, directory: directory}
  end

  # The functions that take a source, called with a source and options. Each answers with {:ok, _} or {:error, error}.
  defp loaders do
    [
      new: &Vitrine.new/2,
      compile: &Vitrine.compile/2,
      run: &Vitrine.run(&1, "run", "", &2),
      trace: fn source, options -> source |> Vitrine.trace("run", "", options) |> elem(0) end,
      inspect_plugin: &Vitrine.inspect_plugin/2,
      server: &start(Vitrine.Server, &1, &2),
      pool: &start(Vitrine.Pool, &1, &2),
      server_upgrade: &upgrade(Vitrine.Server, &1, &2),
      pool_upgrade: &upgrade(Vitrine.Pool, &1, &2)
    ]
  end

  defp start(module, source, options) do
    Process.flag(:trap_exit, true)
    module.start_link([source: source] ++ options)
  end

  defp upgrade(module, source, options) do
    {:ok, process} = start(module, ~S|(module (func (export "run")))|, [])
    with :ok <- module.upgrade(process, source, options), do: {:ok, process}
  end

  test "bytes of a module, and its text, are a source everywhere" do
    text = ~S|(module (func (export "run")))|

    for bytes <- [
          text,
          "\n(; a (; nested ;) comment ;) ;; another\n( module (func (export \"run\")))"
        ],
        {name, load} <- loaders() do
      assert {^name, {:ok, _}} = {name, load.({:module, bytes}, [])}
    end

    assert {:ok, plugin} =
             Vitrine.new({:module, File.read!(wasm("rust_minimal"))}, name: "upload")

    assert plugin.name == "upload"
    assert Vitrine.call(plugin, "echo", "hello") == {:ok, "hello"}
  end

  test "run/4 takes the options of the plugin and of the call beside it" do
    spin = {:module, ~S|(module (func (export "spin") (loop (br 0))))|}
    assert reason(Vitrine.run(spin, "spin", "", fuel: 1_000, timeout: 60_000)) == :fuel
    assert reason(Vitrine.run(spin, "spin", "", timeout: 20)) == :timeout

    assert_raise ArgumentError, ~r/unknown option/, fn ->
      Vitrine.run(spin, "spin", "", tiem: 1)
    end

    context = [host_functions: %{"f" => fn _, context -> context end}, context: "Joe"]
    calls = ~S|(module (import "extism:host/user" "f" (func $f (param i64) (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (func (export "run") (local $r i64) (local.set $r (call $f (i64.const 0)))
        (call $output (local.get $r) (call $length (local.get $r)))))|
    assert Vitrine.run({:module, calls}, "run", "", context) == {:ok, "Joe"}
  end

  test "a manifest, a path and a URL are not read, downloaded or shown", context do
    url = "http://169.254.169.254/latest/meta-data/"
    data = Base.encode64(~S|(module (func (export "run")))|)
    paths = ~s("allowed_paths": {"#{context.directory}": "/data"})

    uploads = [
      # Reads any file of the host, and shows it.
      ~s({"wasm": [{"path": "#{context.secret}"}]}),
      ~s([[wasm]]\npath = "#{context.secret}"\n),
      ~s(wasm = [{path = "#{context.secret}"}]),
      # Names another tenant's.
      ~s({"wasm": [{"path": "#{context.other}"}]}),
      context.other,
      context.secret,
      # Grants itself a directory, hosts and memory.
      ~s({"wasm": [{"data": "#{data}"}], #{paths}}),
      ~s({"wasm": [{"data": "#{data}"}], "allowed_hosts": ["*"], "memory": {"max_pages": 65536}}),
      # Reaches what the node reaches.
      ~s({"wasm": [{"url": "#{url}"}]}),
      url,
      data,
      ""
    ]

    options = [
      allowed_paths: %{},
      allowed_hosts: [],
      wasi: true,
      http: {NoClient, tell: self()}
    ]

    for upload <- uploads, {name, load} <- loaders() do
      assert {^name, {:error, %Vitrine.Error{reason: :compile} = error}} =
               {name, load.({:module, upload}, options)}

      text = Exception.message(error) <> inspect(error)
      refute text =~ "hunter2"
      refute text =~ "of_globex"
      refute text =~ context.directory
    end

    refute_received {:requested, _url}
  end

  test "the error for a value that is not a binary names its kind, and does not show it" do
    for {wrong, what} <- [{nil, "nil"}, {["(module)"], "a list"}, {%{}, "a map"}] do
      assert %{reason: :manifest, message: message} = error!(Vitrine.new({:module, wrong}))
      assert message == "{:module, bytes} has the bytes of a module, and not #{what}"
    end

    assert error!(Vitrine.new({:module, File.read("mix.exs")})).message =~
             "not a tuple: match on {:ok, bytes} first"
  end

  test "a function that takes a process and not a source says where the source belongs" do
    upload = {:module, "(module)"}

    for take <- [
          fn -> Vitrine.call(upload, "run") end,
          fn -> Vitrine.Plug.init(plugin: upload) end,
          fn -> Vitrine.LiveView.Options.check!(:board, plugin: upload) end
        ] do
      error = assert_raise ArgumentError, take

      assert error.message =~
               "got: {:module, 8 bytes}: Vitrine.Pool and Vitrine.Server take it as their :source"
    end
  end

  test "a file that is not a module or a manifest is not shown by any error", context do
    files = [
      {"passwd", "root:x:0:0:hunter2:/root:/bin/bash\n"},
      {"lisp", ";; hunter2\n(define hunter2 1)\n"},
      {"comment", "(; hunter2 ;)\nhunter2\n"},
      {"config.toml", "hunter2 = \"hunter2\"\n[hunter2]\nhunter2 = 1\n"},
      {"broken.toml", "timeout_ms = hunter2\n"},
      {"twice.toml", "hunter2 = 1\nhunter2 = 2\n"},
      {"app.ini", "[hunter2]\nhunter2 hunter2 = hunter2\n"},
      {"credentials.json", ~s({"hunter2": "hunter2", "timeout_ms": "hunter2"})},
      {"list.json", ~s([1, "hunter2"])},
      {"broken.json", ~s({"hunter2": hunter2})},
      {"key.pem", "-----BEGIN hunter2-----\nhunter2\n"},
      {"page.html", "<!doctype html><title>hunter2</title>"},
      {"bytes", <<1, 2, "hunter2", 255>>}
    ]

    for {name, bytes} <- files, path = Path.join(context.directory, name) do
      File.write!(path, bytes)

      for source <- [
            path,
            %{wasm: [%{path: path}]},
            {:module, bytes},
            %{wasm: [%{data: bytes}]},
            %{wasm: [%{url: "https://example.com/p"}]}
          ] do
        error = error!(Vitrine.new(source, http: {Served, body: bytes}))
        refute Exception.message(error) =~ "hunter2"
        refute inspect(error) =~ "hunter2"
      end

      refute error!(Vitrine.inspect_plugin(bytes)).message =~ "hunter2"
    end
  end
end
