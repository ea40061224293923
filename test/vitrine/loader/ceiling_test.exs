defmodule Vitrine.Loader.CeilingTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Loader.Ceiling

  @module ~S|(module (memory 5) (func (export "run")) (func (export "spin") (loop (br 0))))|

  defmodule Redirecting do
    @behaviour Vitrine.HTTP

    @impl true
    def request(%{url: url}, options) do
      send(options[:tell], {:requested, url})
      headers = [{"location", "https://elsewhere.example.org/p.wasm"}]
      {:ok, %Vitrine.HTTP.Response{status: 302, headers: headers, body: ""}}
    end
  end

  defp load(manifest, ceiling, options \\ []) do
    source = Map.merge(%{wasm: [%{data: @module}]}, manifest)
    options = [ceiling: ceiling] ++ options

    # Directories are for those that have WASI, and need not be there until there is an instance.
    if is_map_key(manifest, :allowed_paths),
      do: Vitrine.compile(source, [wasi: true] ++ options),
      else: Vitrine.new(source, options)
  end

  defp refused(manifest, ceiling) do
    assert %{reason: :manifest, message: message} = error!(load(manifest, ceiling))
    message
  end

  describe "under a ceiling, a manifest" do
    test "that asks for nothing has the defaults, if the ceiling has nothing" do
      assert {:ok, _} = load(%{config: %{"a" => "1"}}, [])

      for asked <- [
            %{allowed_hosts: ["example.com"]},
            %{allowed_paths: %{"/etc" => "/etc"}},
            %{allowed_paths: %{"ro:/etc" => "/etc"}},
            %{memory: %{max_pages: 8_193}},
            %{memory: %{max_var_bytes: 1_048_577}},
            %{memory: %{max_http_response_bytes: 52_428_801}},
            %{timeout_ms: 5_001},
            %{wasm: [%{path: wat("rc")}]},
            %{wasm: [%{url: "https://example.com/p.wasm"}]}
          ] do
        assert refused(asked, []) =~ "more than it may ask for"
        # The same without a ceiling is taken as it is.
        if not is_map_key(asked, :wasm), do: assert({:ok, _} = load(asked, nil))
      end
    end

    test "that asks for too much is told what it asked for and what the most is" do
      assert refused(%{allowed_hosts: ["evil.com"]}, allowed_hosts: ["*.example.com"]) ==
               ~s(the manifest's allowed_hosts is "evil.com", which is more than it may ask for; ) <>
                 ~s(the most is ceiling: [allowed_hosts: ["*.example.com"]])

      assert refused(%{memory: %{max_pages: 600}}, memory: [max_pages: 256]) ==
               "the manifest's memory.max_pages is 600, which is more than it may ask for; " <>
                 "the most is ceiling: [memory: [max_pages: 256]]"

      assert refused(%{timeout_ms: 30_000}, timeout: 1_000) =~ "ceiling: [timeout: 1000]"

      assert refused(%{wasm: [%{path: "other.wasm"}]}, []) =~
               ~s(wasm[0] is a path, "other.wasm", which is more)
    end

    test "has less memory and time than by default, if the ceiling is lower" do
      assert reason(load(%{}, memory: [max_pages: 4])) == :out_of_memory
      assert {:ok, _} = load(%{memory: %{max_pages: 5}}, memory: [max_pages: 5])
      {:ok, plugin} = load(%{}, timeout: 30)
      assert reason(Vitrine.call(plugin, "spin")) == :timeout
      {:ok, plugin} = load(%{timeout_ms: 20}, timeout: :infinity)
      assert reason(Vitrine.call(plugin, "spin")) == :timeout
    end

    test "may have the directories that are listed, and no other" do
      ceiling = [allowed_paths: ["/srv/acme", "ro:/srv/shared"]]

      for paths <- [
            %{"/srv/acme" => "/d"},
            %{"ro:/srv/acme/" => "/d"},
            %{"ro:/srv/shared" => "/s"}
          ] do
        assert {:ok, _} = load(%{allowed_paths: paths}, ceiling)
      end

      for path <- [
            "/srv/shared",
            "/srv",
            "/srv/acme/../globex",
            "/srv/acme/link",
            "ro:/",
            "srv/acme"
          ] do
        assert refused(%{allowed_paths: %{path => "/d"}}, ceiling) =~ inspect(path)
      end
    end

    test "may name sources of the kinds that are listed" do
      path = %{wasm: [%{path: wat("rc")}]}
      assert {:ok, _} = load(path, sources: [:path])
      # A module in the manifest itself, or given alone, does not have to be read.
      assert {:ok, _} = load(%{}, sources: [:path])
      assert {:ok, _} = load(%{}, [])

      for source <- [@module, {:module, @module}],
          do: assert({:ok, _} = Vitrine.new(source, ceiling: []))

      assert refused(path, sources: [:data, :url]) =~ "is a path"
    end

    test "is not the name of a file, of which nothing is read, unless files are listed" do
      other_tenants = wat("rc")
      assert {:ok, _} = Vitrine.new(other_tenants, ceiling: [sources: [:path]])

      for path <- [other_tenants, "/etc/passwd", "/nowhere", "~/p.wasm"] do
        assert %{reason: :manifest, message: message} = error!(Vitrine.new(path, ceiling: []))

        assert message ==
                 "the source is the path #{inspect(path)}, and with the option :ceiling it must be a manifest or " <>
                   "a module itself; read the file first, with File.read/1, or give ceiling: [sources: [:path]]"
      end
    end

    test "has its modules downloaded from the hosts that are listed, also by redirects" do
      options = [http: {Redirecting, tell: self()}]
      ceiling = [sources: [{:url, ["*.example.com"]}]]
      from = &%{wasm: [%{url: &1}]}

      for url <- [
            "https://example.org/p",
            "https://a.example.com@evil.org/p",
            "http://169.254.169.254/"
          ] do
        assert %{reason: :manifest} = error!(load(from.(url), ceiling, options))
        refute_received {:requested, _}
      end

      error = error!(load(from.("https://a.example.com/p"), ceiling, options))
      assert error.reason == :manifest
      assert error.message =~ "elsewhere.example.org"
      assert_received {:requested, "https://a.example.com/p"}
      refute_received {:requested, _}
    end

    test "is checked wherever it is loaded, and in whatever form", %{} do
      manifest = %{"wasm" => [%{"data" => Base.encode64(@module)}], "allowed_hosts" => ["*"]}
      {:ok, json} = Vitrine.Codec.encode(:json, manifest)
      struct = Vitrine.Manifest.new!(json)
      toml = ~s(allowed_hosts = ["*"]\nwasm = [{data = "#{Base.encode64(@module)}"}]\n)
      Process.flag(:trap_exit, true)

      for source <- [manifest, json, struct, toml] do
        assert reason(Vitrine.new(source, ceiling: [])) == :manifest
        assert reason(Vitrine.compile(source, ceiling: [])) == :manifest
        assert reason(Vitrine.Server.start_link(source: source, ceiling: [])) == :manifest
        assert reason(Vitrine.Pool.start_link(source: source, ceiling: [])) == :manifest
        {:ok, compiled} = Vitrine.compile(source)
        assert reason(Vitrine.new(compiled, ceiling: [])) == :manifest
        assert {:ok, _} = Vitrine.new(compiled, ceiling: [allowed_hosts: ["*"]])
      end
    end

    test "does not bound the options beside it" do
      options = [memory: [max_pages: 5], allowed_hosts: ["example.com"], timeout: 50]
      assert {:ok, _} = load(%{}, [memory: [max_pages: 4], timeout: 10], options)
    end
  end

  describe "hosts within others" do
    test "are those of which every name is allowed" do
      for {host, ceiling} <- [
            {"a.example.com", ["*.example.com"]},
            {"A.EXAMPLE.COM", ["*.example.com"]},
            {"*.a.example.com", ["*.example.com"]},
            {"[a-c].example.com", ["*.example.com"]},
            {"*", ["*"]},
            {"a.b.c", ["a.*.c"]},
            {"[ab].s3.eu.example.com", ["[ab].s3.eu.example.com"]},
            {"a.s3.*.example.com", ["*.s3.*.example.com"]},
            {"10.0.0.5", ["10.0.0.5"]},
            {"localhost", ["localhost"]},
            {"private:db.internal", [{:private, "db.internal"}]},
            {"private:db.internal", [{:private, "*.internal"}]},
            {"db.internal", [{:private, "db.internal"}]}
          ] do
        assert {host, Ceiling.within?(host, ceiling)} == {host, true}
      end

      for {host, ceiling} <- [
            {"a.example.com", []},
            {"example.com", ["*.example.com"]},
            {"*", ["*.example.com"]},
            {"*.com", ["*.example.com"]},
            {"*example.com", ["?example.com", "[a-z]example.com"]},
            {"a.c", ["a.*.c"]},
            # A set of characters is one of them, whatever is written in it.
            {"[.s3.]*.example.com", ["*.s3.*.example.com"]},
            {"*[.s3.]x.example.com", ["*.s3.*"]},
            # A host in the own network must be listed itself.
            {"10.0.0.5", ["*"]},
            {"10.*", ["*", "10.*.*"]},
            {"127.1", ["*"]},
            {"2130706433", ["*"]},
            {"0x7f000001", ["*"]},
            {"[::1]", ["*"]},
            {"localhost", ["*"]},
            {"private:db.internal", ["*", "*.internal", "db.internal"]}
          ] do
        assert {host, Ceiling.within?(host, ceiling)} == {host, false}
      end
    end
  end

  test "options of a ceiling that are wrong raise, and say what would be right" do
    for {ceiling, message} <- [
          {%{}, ":ceiling to be a keyword list"},
          {[allowed_host: []], "did you mean :allowed_hosts?"},
          {[allowed_hosts: ["https://a"]], "has a scheme"},
          {[allowed_paths: %{"/a" => "/b"}],
           "expected :allowed_paths of :ceiling to be a list of directories"},
          {[memory: [max_page: 1]], "in :ceiling: memory has the unknown key"},
          {[timeout: "1s"], "expected :timeout of :ceiling to be milliseconds"},
          {[sources: [:file]], "a list of :data, :path, :url and {:url, hosts}"}
        ] do
      error = assert_raise ArgumentError, fn -> Vitrine.new("(module)", ceiling: ceiling) end
      assert error.message =~ message

      assert_raise ArgumentError, fn ->
        Vitrine.Server.start_link(source: "(module)", ceiling: ceiling)
      end
    end
  end

  describe "without a ceiling, the options that a manifest is loaded with" do
    setup do
      manifest =
        Vitrine.Manifest.from_data(@module)
        |> Vitrine.Manifest.allow_host("*")
        |> Vitrine.Manifest.allow_path("/etc", "/etc", read_only: true)
        |> Vitrine.Manifest.allow_path("/srv", "/srv")

      {:ok, manifest: manifest}
    end

    test "take all of its directories and hosts away", %{manifest: manifest} do
      settings =
        Vitrine.Loader.Settings.check!(
          [wasi: true, allowed_paths: %{}, allowed_hosts: []],
          manifest
        )

      assert settings.allowed_paths == %{}
      assert settings.wasi.directories == []
      assert settings.http.hosts == []
      compiled = Vitrine.compile!(manifest, wasi: true)
      assert Vitrine.compile!(compiled, allowed_paths: %{}).settings.wasi.directories == []
    end

    test "take one directory away, however it is written", %{manifest: manifest} do
      paths = &Vitrine.Loader.Settings.check!([allowed_paths: &1], manifest).allowed_paths
      assert paths.(%{"/etc/" => nil}) == %{"/srv" => "/srv"}
      assert paths.(%{"/srv" => nil, "/a" => "/b"}) == %{"ro:/etc" => "/etc", "/a" => "/b"}
      assert paths.(nil) == %{"ro:/etc" => "/etc", "/srv" => "/srv"}
    end

    test "give a guest no directory that they withdrew", %{manifest: manifest} do
      text = ~S|(module
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $get (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "first") (result i32) (call $get (i32.const 3) (i32.const 0))))|

      manifest = %{manifest | wasm: [%{data: text}]}
      first = fn options -> Vitrine.call(new!(manifest, [wasi: true] ++ options), "first") end
      assert first.([]) == {:ok, ""}
      # 8 is EBADF: there is no such descriptor.
      assert {:error, %{code: 8}} = first.(allowed_paths: %{})
    end
  end
end
