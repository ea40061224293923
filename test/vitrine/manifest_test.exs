defmodule Vitrine.ManifestTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Manifest

  import Vitrine.Guests

  alias Vitrine.Manifest

  @rc File.read!(wat("rc"))
  @url "https://example.com/p.wasm"

  defp message(manifest) do
    error = error!(Vitrine.new(manifest))
    assert error.reason == :manifest
    error.message
  end

  defp with_wasm(rest), do: Map.merge(%{"wasm" => [%{"data" => @rc}]}, rest)

  describe "the error of a manifest explains" do
    test "an unknown key, with those that are allowed" do
      assert message(with_wasm(%{"timeout" => 1})) ==
               ~s(the manifest has the unknown key "timeout", allowed are: wasm, config, memory, ) <>
                 ~s(allowed_hosts, allowed_paths, timeout_ms; did you mean "timeout_ms"?)

      assert message(%{wasm: [%{data: @rc}, %{path: "p", size: 1}]}) ==
               ~s(the manifest's wasm[1] has the unknown key "size", allowed are: path, data, url, ) <>
                 "name, hash, method, headers"

      assert message(with_wasm(%{"memory" => %{"max" => 1}})) ==
               ~s(the manifest's memory has the unknown key "max", allowed are: max_pages, ) <>
                 "max_http_response_bytes, max_var_bytes"

      assert message(with_wasm(%{1 => 2})) =~ "unknown key 1"
    end

    test "a key that is there twice" do
      assert message(Map.put(with_wasm(%{}), :wasm, [])) =~
               ~s(the manifest has the key "wasm" both as an atom and as a string)

      assert message(with_wasm(%{"config" => %{"a" => "1", a: "2"}})) =~
               ~s(config has the key "a")
    end

    test "a wrong value, with what would be right" do
      for {rest, expected} <- [
            {%{"timeout_ms" => -1},
             "timeout_ms must be milliseconds, from 0 to 4294967295, got: -1"},
            {%{"timeout_ms" => 1.5}, "got: 1.5"},
            {%{"timeout_ms" => Integer.pow(10, 9_999)}, "from 0 to"},
            {%{"config" => []}, "config must be a map, got: []"},
            {%{"config" => nil}, "config must be a map, got: nil"},
            {%{"config" => %{"a" => 1}}, "config.a must be a string, got: 1"},
            {%{"config" => %{"a" => <<255>>}},
             "config.a must be a string, got: bytes that are not UTF-8"},
            {%{"config" => %{1 => "a"}}, "config must have strings as keys, got: 1"},
            {%{"memory" => 1}, "memory must be a map, got: 1"},
            {%{"memory" => nil}, "memory must be a map, got: nil"},
            {%{"memory" => %{"max_pages" => 0}},
             "memory.max_pages must be pages of 64 KiB, from 1 to 65536, got: 0"},
            {%{"memory" => %{"max_pages" => 65_537}}, "got: 65537"},
            {%{"memory" => %{"max_pages" => "1"}}, ~s(got: "1")},
            {%{"memory" => %{"max_var_bytes" => -1}},
             "memory.max_var_bytes must be bytes, from 0"},
            {%{"memory" => %{"max_http_response_bytes" => 1.0}},
             "memory.max_http_response_bytes must be"},
            {%{"allowed_hosts" => "example.com"},
             ~s(allowed_hosts must be a list of strings, got: "example.com")},
            {%{"allowed_hosts" => ["a", 1]}, "allowed_hosts[1] must be a string"},
            {%{"allowed_hosts" => List.duplicate("a", 1_001)},
             "allowed_hosts has 1001 hosts; the limit is 1000"},
            {%{"allowed_hosts" => [""]}, "allowed_hosts[0] must be a string"},
            {%{"allowed_hosts" => ["a" | "b"]}, "allowed_hosts must be a list"},
            {%{"allowed_paths" => ["/"]}, "allowed_paths must be a map"},
            {%{"allowed_paths" => %{"/a" => 1}},
             ~s(allowed_paths["/a"] must be a string, got: 1)},
            {%{"allowed_paths" => %{"/a" => ""}},
             ~s(allowed_paths["/a"] must be a path in the guest)},
            {%{"allowed_paths" => %{"ro:" => "/a"}},
             ~s(must be keyed by paths of the host, got: "ro:")},
            {%{"wasm" => 1}, "wasm must be a list of sources, got: 1"},
            {%{"wasm" => nil}, "wasm must be a list of sources, got: nil"},
            {%{"wasm" => []}, "wasm must be a list of at least one source, got: []"},
            {%{"wasm" => [1]}, "wasm[0] must be a map, got: 1"},
            {%{"wasm" => [%{}]}, "wasm[0] must have one of path, data and url, got: []"},
            {%{"wasm" => [%{"path" => 1}]},
             "wasm[0].path must be the path of a file, without a NUL byte, got: 1"},
            {%{"wasm" => [%{"path" => "a\0b"}]}, "wasm[0].path must be the path of a file"},
            {%{"wasm" => [%{"path" => "a", "data" => "b"}]},
             "wasm[0] must have one of path, data and url, got: path and data"},
            {%{"wasm" => [%{"path" => "a", "url" => @url}]}, "got: path and url"},
            {%{"wasm" => [%{"path" => "a", "headers" => %{}}]},
             "wasm[0] has headers, which only a url can have"},
            {%{"wasm" => [%{"data" => "$$$"}]}, "wasm[0].data must be a WebAssembly module"},
            {%{"wasm" => [%{"data" => Base.encode64("text")}]}, "or base64 of one"},
            {%{"wasm" => [%{"data" => 1}]},
             "wasm[0].data must be base64, or the bytes of a module, got: 1"},
            {%{"wasm" => [%{"data" => %{"ptr" => 1, "len" => 2}}]},
             "an address in memory is refused"},
            {%{"wasm" => [%{"data" => @rc, "name" => 1}]},
             "wasm[0].name must be a string, got: 1"},
            {%{"wasm" => [%{"data" => @rc, "hash" => "abc"}]},
             "wasm[0].hash must be a sha256 of 64 hexadecimal digits"},
            {%{"wasm" => [%{"url" => "ftp://example.com/p"}]},
             "wasm[0].url must be a URL of http or https"},
            {%{"wasm" => [%{"url" => "https://"}]}, "wasm[0].url must be"},
            {%{"wasm" => [%{"url" => "https://a b"}]}, "wasm[0].url must be"},
            {%{"wasm" => [%{"url" => :a}]}, "wasm[0].url must be"},
            {%{"wasm" => [%{"url" => @url, "method" => "FETCH"}]},
             "wasm[0].method must be one of GET, HEAD"},
            {%{"wasm" => [%{"url" => @url, "headers" => []}]}, "wasm[0].headers must be a map"},
            {%{"wasm" => [%{"url" => @url, "headers" => %{"A" => 1}}]},
             "wasm[0].headers.A must be a string"},
            {%{"wasm" => [%{"url" => @url, "headers" => %{"A" => "b\r\nC: d"}}]},
             "headers.A must be a string without control"},
            {%{"wasm" => [%{"url" => @url, "headers" => %{"A b" => "c"}}]},
             ~s(keyed by names of headers, got: "A b")}
          ] do
        assert message(with_wasm(rest)) =~ expected
      end
    end

    test "a large wrong value, shortened" do
      for value <- [String.duplicate("x", 100_000), Enum.to_list(1..100_000), 7 ** 1_000] do
        assert byte_size(message(with_wasm(%{"timeout_ms" => value}))) < 500
      end
    end

    test "a text that is not a manifest, with the place" do
      assert message(~s({"wasm": )) =~ "not valid JSON: EOF while parsing a value at line 1"
      assert message(~s([1, 2])) == "the manifest must be a map, got: [1, 2]"
      assert message(String.duplicate("[", 100_000)) =~ "not valid JSON: recursion limit"
      assert message("wasm = [\n  {path = \"p\"\n") =~ ~r/not valid TOML: .* at line \d/
      assert message("wasm = [{path = \"p\"}]\nwasm = 1\n") =~ "duplicate key at line 2 column 1"
      assert message("a = " <> String.duplicate("[", 100_000)) =~ "not valid TOML"
      assert message("timeout = 1\nwasm = []") =~ ~s(unknown key "timeout")
    end

    test "a value that is not a source" do
      for source <- [nil, 1, :atom, [], {}] do
        assert message(source) =~ "a source is"
        assert {:error, %{reason: :manifest, message: message}} = Manifest.new(source)
        assert message =~ "must be a map or a text"
      end

      assert {:error, %{message: message}} = Manifest.new("neither this nor that")
      assert message == "the manifest is a text of another kind; a manifest is JSON or TOML"
    end

    test "a file below the home directory, by the path that ~ stands for" do
      name = "vitrine-missing-#{System.unique_integer([:positive])}.wasm"
      path = inspect(Path.join(System.user_home!(), name))

      for source <- ["~/" <> name, %{wasm: [%{path: "~/" <> name}]}] do
        error = error!(Vitrine.new(source))

        assert {error.reason, error.message =~ "the file #{path} cannot be read: no such"} ==
                 {:file, true}
      end

      assert Vitrine.Loader.Source.files("~/" <> name) == [Path.join(System.user_home!(), name)]
    end

    test "a file that is not there" do
      missing = fn source ->
        assert %{reason: :file, exception: %File.Error{reason: reason}} =
                 error = error!(Vitrine.new(source))

        assert reason in [:enoent, :eisdir]
        error.message
      end

      assert missing.("missing.wasm") ==
               ~s(the file "missing.wasm" in #{File.cwd!()} cannot be read: no such file or directory)

      assert missing.(%{wasm: [%{data: @rc}, %{path: "missing.wasm", name: "lib"}]}) ==
               ~s(the manifest's wasm[1].path: the file "missing.wasm" in #{File.cwd!()} cannot be read: no such file or directory)

      assert missing.(System.tmp_dir!()) =~ "directory"
    end
  end

  describe "a manifest" do
    test "has its configuration read by the plugin, and options are merged over it" do
      manifest = %{wasm: [%{path: wasm("rust")}], config: %{"a" => "1", b: "2"}}
      plugin = new!(manifest, host_functions: host_functions(), config: %{b: "3", c: "4"})

      for {key, value} <- [{"a", "1"}, {"b", "3"}, {"c", "4"}, {"d", ""}] do
        assert Vitrine.call(plugin, "config_value", key) == {:ok, value}
      end
    end

    test "may have empty lists and maps" do
      manifest = %{
        wasm: [%{data: @rc, path: nil, url: nil, name: nil, hash: nil, headers: nil, method: nil}],
        memory: %{max_pages: nil, max_http_response_bytes: nil, max_var_bytes: nil},
        timeout_ms: nil,
        allowed_hosts: nil,
        allowed_paths: nil
      }

      assert Manifest.new(manifest) == {:ok, %Manifest{wasm: [%{data: @rc}]}}
      assert Vitrine.call(new!(manifest), "rc_0") == {:ok, ""}
    end

    test "is read from JSON with every key" do
      json = ~s({"wasm": [{"path": "a.wasm", "name": "n"},
        {"url": "#{@url}", "method": "post", "headers": {"Accept": "*/*"}}],
        "timeout_ms": 5, "config": {"k\\u00e9": "v"},
        "memory": {"max_pages": 3, "max_http_response_bytes": 7, "max_var_bytes": 0},
        "allowed_hosts": ["*.example.com"], "allowed_paths": {"ro:/a": "/b", "c": "d"}})

      assert Manifest.new(json) ==
               {:ok,
                %Manifest{
                  wasm: [
                    %{path: "a.wasm", name: "n"},
                    %{url: @url, method: "POST", headers: %{"Accept" => "*/*"}}
                  ],
                  config: %{"ké" => "v"},
                  memory: %{max_pages: 3, max_http_response_bytes: 7, max_var_bytes: 0},
                  allowed_hosts: ["*.example.com"],
                  allowed_paths: %{"ro:/a" => "/b", "c" => "d"},
                  timeout_ms: 5
                }}
    end

    test "is read from TOML with every key" do
      toml = """
      # a comment
      timeout_ms = 5
      allowed_hosts = ["*.example.com"]
      config."ké" = "v"

      [[wasm]]
      path = "a.wasm"
      name = "n"

      [[wasm]]
      url = "#{@url}"
      headers = {Accept = "*/*"}

      [memory]
      max_pages = 0x3

      [allowed_paths]
      "ro:/a" = "/b"
      """

      for toml <- [toml, String.replace(toml, "\n", "\r\n")] do
        assert {:ok, manifest} = Manifest.new(toml)

        assert manifest.wasm == [
                 %{path: "a.wasm", name: "n"},
                 %{url: @url, method: "GET", headers: %{"Accept" => "*/*"}}
               ]

        assert manifest.config == %{"ké" => "v"}
        assert manifest.memory.max_pages == 3
        assert manifest.allowed_hosts == ["*.example.com"]
        assert manifest.allowed_paths == %{"ro:/a" => "/b"}
        assert manifest.timeout_ms == 5
      end
    end

    test "in TOML has dates as strings, and refuses infinities and NaN" do
      wasm = "wasm = [{path = \"p\"}]\n"
      assert {:ok, manifest} = Manifest.new(wasm <> "config.since = 2026-11-21T10:00:00Z")
      assert manifest.config == %{"since" => "2026-11-21T10:00:00Z"}
      assert {:error, error} = Manifest.new(wasm <> "timeout_ms = nan")
      assert error.message =~ "got: :nan"
    end

    @tag :tmp_dir
    test "is read from a file, as a module is", %{tmp_dir: dir} do
      data = Base.encode64(@rc)

      for {name, text} <- [
            {"a.json", ~s({"wasm": [{"data": "#{data}"}]})},
            {"a.toml", ~s(wasm = [{data = "#{data}"}])},
            {"b.toml",
             ~s([[wasm]]\ndata = """\n#{String.replace(data, ~r/.{60}/, "\\0\n")}"""\n)},
            {"no extension", ~s(\n[[ wasm ]]\ndata = "#{data}")},
            {"a.wat", "\n  " <> @rc},
            {"wasm = 1.wat", @rc}
          ] do
        path = Path.join(dir, name)
        File.write!(path, text)
        assert Vitrine.call(new!(path), "rc_0") == {:ok, ""}
      end

      path = Path.join(dir, "text.wasm")
      File.write!(path, "nothing of all that")
      error = error!(Vitrine.new(path))
      assert error.reason == :compile

      assert error.message =~
               "text.wasm\" is not a WebAssembly module or a manifest: it is a text"
    end

    test "as a struct is checked like a map" do
      assert message(%Manifest{wasm: []}) =~ "wasm must be a list of at least one"
      assert message(%Manifest{wasm: [%{data: @rc}], timeout_ms: :soon}) =~ "timeout_ms"
    end

    test "gives its plugin the name of the main module, or of its file" do
      assert new!(%{wasm: [%{path: wat("rc")}]}).name == "rc"
      assert new!(%{wasm: [%{path: wat("rc"), name: "other"}]}).name == "other"
    end

    defmodule Served do
      @behaviour Vitrine.HTTP

      @impl true
      def request(%{url: url}, options) do
        {:ok, %Vitrine.HTTP.Response{status: options[:status], body: options[:body].(url)}}
      end
    end

    test "with a url is downloaded by the client of the plugin" do
      served = fn status -> {Served, status: status, body: fn @url -> @rc end} end
      assert {:ok, _} = Vitrine.new(%{wasm: [%{url: @url}]}, http: served.(200))
      error = error!(Vitrine.new(%{wasm: [%{url: @url}]}, http: served.(404)))
      assert {error.reason, error.message =~ "404"} == {:manifest, true}
      assert reason(Vitrine.new(%{wasm: [%{url: @url}]}, http: false)) == :manifest
    end
  end

  describe "several modules" do
    defp names(sources) do
      {:ok, manifest} = Manifest.new(%{wasm: sources})
      for {name, source} <- Manifest.Wasm.modules(manifest.wasm), do: {name, source.path}
    end

    defp named(path, name), do: %{path: path, name: name}

    test "have the main one named so, or not at all, or last" do
      assert names([named("a", "x")]) == [{"main", "a"}]
      assert names([named("a", "main"), named("b", "x")]) == [{"main", "a"}, {"x", "b"}]
      assert names([named("a", "x"), %{path: "b"}]) == [{"x", "a"}, {"main", "b"}]
      assert names([%{path: "a"}, named("b", "x")]) == [{"main", "a"}, {"x", "b"}]
      assert names([named("a", "x"), named("b", "y")]) == [{"x", "a"}, {"main", "b"}]
      assert names([named("a", "x"), named("b", "x")]) == [{"x", "a"}, {"main", "b"}]
      assert names([named("a", "extism:host/env")]) == [{"main", "a"}]
    end

    test "must have names of their own" do
      for {sources, name} <- [
            {[%{path: "a"}, %{path: "b"}], "main"},
            {[named("a", "main"), %{path: "b"}], "main"},
            {[named("a", "x"), named("b", "x"), named("c", "main")], "x"},
            {[named("a", "extism:host/env"), %{path: "b"}], "extism:host/env"}
          ] do
        assert message(%{wasm: sources}) ==
                 "Duplicate module name found in Extism manifest: #{name}"
      end
    end

    test "are all read, and their hashes verified" do
      hash = Base.encode16(:crypto.hash(:sha256, @rc))
      sources = [%{data: @rc, name: "lib", hash: hash}, %{path: wat("rc")}]
      assert new!(%{wasm: sources}).name == "rc"
      wrong = [%{data: @rc, name: "lib", hash: String.duplicate("0", 64)}, %{path: wat("rc")}]
      assert message(%{wasm: wrong}) =~ "wasm[0]"
    end
  end

  describe "a hash" do
    test "that is right is taken, in either case of letters" do
      hash = Base.encode16(:crypto.hash(:sha256, @rc))
      assert new!(%{wasm: [%{data: @rc, hash: hash}]})
      assert new!(%{wasm: [%{data: Base.encode64(@rc), hash: hash}]})
      assert new!(%{wasm: [%{path: wat("rc"), hash: String.downcase(hash)}]})
    end

    test "that is wrong refuses the module, with both" do
      wrong = String.duplicate("0", 64)
      hash = Base.encode16(:crypto.hash(:sha256, @rc), case: :lower)
      assert message(%{wasm: [%{data: @rc, hash: wrong}]}) =~ ~r/#{hash}, expected #{wrong}/
      assert message(%{wasm: [%{path: wat("rc"), hash: wrong}]}) =~ "wasm[0] is #{hash}"
    end
  end

  describe "memory" do
    test "max_pages bounds what an instance begins with and what it grows by" do
      grow = File.read!(wat("grow"))
      limited = new!(%{wasm: [%{data: grow}], memory: %{max_pages: 4}})
      assert Vitrine.call(limited, "grow", "3") == {:ok, "1"}
      assert reason(Vitrine.call(limited, "grow", "5")) == :out_of_memory
      assert reason(Vitrine.call(limited, "grow_forever")) == :out_of_memory
      assert reason(Vitrine.call(limited, "grow_huge")) == :out_of_memory

      big = "(module (memory 5))"

      assert reason(Vitrine.new(%{wasm: [%{data: big}], memory: %{max_pages: 4}})) ==
               :out_of_memory

      assert new!(%{wasm: [%{data: big}], memory: %{max_pages: 5}})
    end

    test "max_pages bounds the input and output, too" do
      manifest = %{wasm: [%{path: wasm("rust_minimal")}], memory: %{max_pages: 32}}
      plugin = new!(manifest)
      assert reason(Vitrine.call(plugin, "echo", :binary.copy("x", 4_000_000))) == :out_of_memory
      assert Vitrine.call(plugin, "echo", "small") == {:ok, "small"}
    end

    test "max_var_bytes bounds the variables; 0 forbids them" do
      manifest = &%{wasm: [%{path: wasm("rust")}], memory: %{max_var_bytes: &1}}
      small = new!(manifest.(100), host_functions: host_functions())
      assert Vitrine.call(small, "var_set", "k=short") == {:ok, ""}
      error = error!(Vitrine.call(small, "var_set", "k=" <> String.duplicate("x", 100)))
      assert error.message =~ "Variable store is full"
      assert Vitrine.call(small, "var_get", "k") == {:ok, "short"}

      none = new!(manifest.(0), host_functions: host_functions())
      assert error!(Vitrine.call(none, "var_set", "k=v")).message =~ "Vars are disabled"
    end
  end

  describe "the options of Vitrine.new/2" do
    test "override the manifest's memory" do
      manifest = %{wasm: [%{data: "(module (memory 5))"}], memory: %{max_pages: 4}}
      assert reason(Vitrine.new(manifest)) == :out_of_memory
      assert new!(manifest, memory: [max_pages: 5])
      assert new!(manifest, memory: %{"max_pages" => 5})
      assert reason(Vitrine.new(manifest, memory: [max_var_bytes: 5])) == :out_of_memory
      assert reason(Vitrine.new(manifest, memory: [max_pages: nil])) == :out_of_memory
    end

    test "are merged over the manifest's" do
      manifest =
        Manifest.from_data(@rc)
        |> Manifest.put_memory(max_pages: 4, max_var_bytes: 0)
        |> Manifest.allow_path("/a", "/x")
        |> Manifest.allow_path("/b", "/y")

      options = [memory: [max_pages: 5], allowed_paths: %{"/b" => "/z"}]
      options = Vitrine.Loader.Settings.check!(options, manifest)

      assert options.memory ==
               %{max_pages: 5, max_http_response_bytes: 52_428_800, max_var_bytes: 0}

      assert options.allowed_paths == %{"/a" => "/x", "/b" => "/z"}
    end

    test "raise for what is wrong" do
      for {options, expected} <- [
            {[memory: [max_pages: 0]],
             "the option memory.max_pages must be pages of 64 KiB, from 1 to 65536, got: 0"},
            {[memory: 1], ":memory to be a map or a keyword list of limits"},
            {[memory: [colour: 1]], "unknown option of :memory: :colour"},
            {[allowed_paths: ["/a"]], "the option allowed_paths must be a map"},
            {[allowed_paths: %{"/a" => 1}], ~s(the option allowed_paths["/a"] must be a string)}
          ] do
        error = assert_raise ArgumentError, fn -> Vitrine.new(wat("rc"), options) end
        assert error.message =~ expected
      end
    end
  end

  describe "a manifest made step by step" do
    test "has every key" do
      manifest =
        Manifest.from_data(@rc, name: "lib")
        |> Manifest.add_url(@url, name: "net", headers: %{"A" => "b"}, method: "put")
        |> Manifest.add_path("p.wasm", hash: String.duplicate("A", 64))
        |> Manifest.put_config("a", "1")
        |> Manifest.put_config("b", "2")
        |> Manifest.put_memory(max_pages: 5)
        |> Manifest.put_memory(%{"max_var_bytes" => 6})
        |> Manifest.allow_host("a.example")
        |> Manifest.allow_host("*.b.example")
        |> Manifest.allow_path("/a", "/x")
        |> Manifest.allow_path("b", "/y", read_only: true)
        |> Manifest.put_timeout(7)

      assert manifest == %Manifest{
               wasm: [
                 %{data: @rc, name: "lib"},
                 %{url: @url, method: "PUT", headers: %{"A" => "b"}, name: "net"},
                 %{path: "p.wasm", hash: String.duplicate("a", 64)}
               ],
               config: %{"a" => "1", "b" => "2"},
               memory: %{max_pages: 5, max_http_response_bytes: 52_428_800, max_var_bytes: 6},
               allowed_hosts: ["a.example", "*.b.example"],
               allowed_paths: %{"/a" => "/x", "ro:b" => "/y"},
               timeout_ms: 7
             }

      assert Manifest.new(manifest) == {:ok, manifest}
      assert Manifest.new(Manifest.to_map(manifest)) == {:ok, manifest}
    end

    test "is checked at every step" do
      manifest = Manifest.from_data(@rc)

      for {step, expected} <- [
            {fn -> Manifest.from_path(1) end,
             "wasm[0].path must be the path of a file, without a NUL byte, got: 1"},
            {fn -> Manifest.from_path("p", method: "GET") end, "unknown option: :method"},
            {fn -> Manifest.from_data("text") end, "wasm[0].data must be"},
            {fn -> Manifest.from_url("p.wasm") end, "wasm[0].url must be"},
            {fn -> Manifest.add_path(manifest, "p") end, "Duplicate module name"},
            {fn -> Manifest.add_path(manifest, "p", hash: "x") end, "wasm[1].hash must be"},
            {fn -> Manifest.put_config(manifest, "a", 1) end, "config.a must be a string"},
            {fn -> Manifest.put_memory(manifest, max_pages: 0) end, "memory.max_pages must be"},
            {fn -> Manifest.put_memory(manifest, [1]) end, "memory must be a map"},
            {fn -> Manifest.allow_host(manifest, :a) end, "allowed_hosts[0] must be"},
            {fn -> Manifest.allow_path(manifest, "/a", 1) end, "allowed_paths"},
            {fn -> Manifest.allow_path(manifest, 1, "/a", read_only: true) end, "allowed_paths"},
            {fn -> Manifest.allow_path(manifest, "/a", "/a", read_only: 1) end, "boolean"},
            {fn -> Manifest.put_timeout(manifest, -1) end, "timeout_ms must be"}
          ] do
        assert_raise ArgumentError, ~r/#{Regex.escape(expected)}/, step
      end
    end

    test "raises for wrong arguments of new!/1" do
      assert_raise Vitrine.Error, ~r/unknown key/, fn -> Manifest.new!(%{a: 1}) end
    end
  end

  describe "inspect/1" do
    test "shows no bytes and no values that may be secret" do
      manifest =
        Manifest.from_data(@rc, name: "lib")
        |> Manifest.add_url(@url, headers: %{"Authorization" => "Bearer secret"})
        |> Manifest.put_config("token", "secret")
        |> Manifest.put_timeout(7)

      assert inspect(manifest, width: :infinity) ==
               ~s(#Vitrine.Manifest<wasm: [%{data: #{byte_size(@rc)} bytes, name: "lib"}, ) <>
                 ~s(%{headers: %{"Authorization" => ...}, method: "GET", url: "#{@url}"}], ) <>
                 ~s(config: %{"token" => ...}, timeout_ms: 7>)

      assert inspect(%Manifest{}) == "#Vitrine.Manifest<>"
    end

    test "works for a struct with wrong fields" do
      for value <- [nil, 1, [1], [%{1 => 2}], [%{data: 1}], %{a: 1}, {}] do
        assert inspect(%Manifest{wasm: value, config: value, memory: value}) =~
                 "#Vitrine.Manifest<"
      end
    end
  end
end
