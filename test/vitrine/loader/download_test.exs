defmodule Vitrine.Loader.DownloadTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.HTTP.{Client, Response}
  alias Vitrine.Loader.Download
  alias Vitrine.MisbehavingServer, as: Server

  # Vitrine's client, which tells what it is asked.
  defmodule Told do
    @behaviour Vitrine.HTTP

    @impl true
    def request(request, options) do
      {to, options} = Keyword.pop!(options, :tell)
      send(to, {:requested, request})
      Client.request(request, options)
    end
  end

  # A client that answers always the same.
  defmodule Same do
    @behaviour Vitrine.HTTP

    @impl true
    def request(_request, options), do: {:ok, options[:response]}
  end

  setup do
    directory =
      Path.join(System.tmp_dir!(), "vitrine-download-#{System.unique_integer([:positive])}")

    on_exit(fn -> File.rm_rf!(directory) end)
    {:ok, server: start_supervised!(Server), cache: directory}
  end

  defp bytes(count), do: String.duplicate("x", count)
  defp hash(bytes), do: Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)

  defp source(server, count, fields \\ %{}),
    do: Map.merge(%{url: Server.url(server, "/bytes/#{count}")}, fields)

  defp fetch(source, cache, options \\ []) do
    Download.fetch(source, [http: {Told, tell: self()}, cache_dir: cache] ++ options)
  end

  defp requested? do
    receive do
      {:requested, _} -> true
    after
      0 -> false
    end
  end

  describe "fetch/2" do
    test "downloads a module", %{server: server, cache: cache} do
      assert fetch(source(server, 1_000), cache) == {:ok, bytes(1_000)}
    end

    test "asks with the method and the headers of the source", %{server: server, cache: cache} do
      url = Server.url(server, "/echo")
      source = %{url: url, method: "post", headers: %{"Authorization" => "Bearer x"}, name: "n"}
      assert {:ok, answer} = fetch(source, cache)
      assert answer =~ "POST /echo"
      assert answer =~ "authorization: Bearer x"
    end

    test "follows redirects, to other hosts too", %{server: server, cache: cache} do
      there = Server.url(server, "/bytes/10", "localhost")

      assert fetch(%{url: Server.url(server, "/redirect/302?#{there}")}, cache) ==
               {:ok, bytes(10)}

      error = error!(fetch(%{url: Server.url(server, "/hops/11")}, cache))
      assert error.message =~ "more than 10 redirects"
    end

    test "does not go from https to http", %{cache: cache} do
      response = %Response{status: 301, headers: [{"location", "http://a/"}]}

      error =
        error!(
          Download.fetch(%{url: "https://a/"}, http: {Same, response: response}, cache_dir: cache)
        )

      assert error.message =~ "it redirects from https to http"
    end

    test "takes only what has the hash", %{server: server, cache: cache} do
      good = hash(bytes(10))
      assert fetch(source(server, 10, %{hash: good}), cache) == {:ok, bytes(10)}
      assert fetch(source(server, 10, %{hash: String.upcase(good)}), cache) == {:ok, bytes(10)}

      other = hash("other")
      error = error!(fetch(source(server, 10, %{hash: other}), cache))
      assert error.reason == :manifest
      assert error.message =~ "hash mismatch: the sha256 is #{good}, expected #{other}"
      assert File.ls!(cache) == [good]
    end

    test "names the failure in the error", %{server: server, cache: cache} do
      for {path, message} <- [
            {"/status/404", "the server answered with status 404"},
            {"/status/500", "the server answered with status 500"},
            {"/status/304", "the server answered with status 304"},
            {"/length_too_large", "closed the connection in the middle of the body"},
            {"/garbage", "not an HTTP response"}
          ] do
        url = Server.url(server, path)
        error = error!(fetch(%{url: url, hash: hash("")}, cache))
        assert error.reason == :manifest
        assert String.starts_with?(error.message, "the module #{url} cannot be downloaded: ")
        assert error.message =~ message
      end

      error = error!(fetch(%{url: "http://127.0.0.1:1/"}, cache))
      assert {error.reason, error.exception} == {:manifest, :econnrefused}

      assert error!(fetch(%{url: "ftp://example.com/p.wasm"}, cache)).message =~
               "only http and https"

      assert error!(fetch(%{url: "p.wasm"}, cache)).message =~ "not a URL"
      refute File.exists?(cache)
    end

    test "is limited in size and time", %{server: server, cache: cache} do
      assert {:ok, _} = fetch(source(server, 10), cache, max_bytes: 10)
      error = error!(fetch(source(server, 11), cache, max_bytes: 10))
      assert error.message =~ "exceeds the configured maximum number of bytes: 10"

      for path <- ~w(/silence /slow_headers /slow_body) do
        error = error!(fetch(%{url: Server.url(server, path)}, cache, timeout: 50))
        assert {error.reason, error.message =~ "it took longer than 50 ms"} == {:manifest, true}
      end
    end

    test "is not possible without a client, or with wrong options" do
      error = error!(Download.fetch(%{url: "http://127.0.0.1/", hash: nil}, http: false))
      assert error.message =~ "is not enabled"

      for options <- [[cache_dir: 1], [http: :none], [colour: 1]] do
        assert_raise ArgumentError, fn ->
          Download.fetch(%{url: "http://127.0.0.1:1/", hash: hash("")}, options)
        end
      end
    end
  end

  describe "the time of all downloads of a plugin" do
    test "is what the option or the manifest says, and the error says which it was", context do
      slow = Server.url(context.server, "/silence")

      for {manifest, options, said} <- [
            {%{}, [timeout: 60], "60 ms that all downloads may take (timeout: 60)"},
            {%{timeout_ms: 70}, [], "70 ms that all downloads may take (timeout_ms: 70)"},
            {%{timeout_ms: 60_000}, [timeout: 80],
             "80 ms that all downloads may take (timeout: 80)"}
          ] do
        manifest = Map.put(manifest, :wasm, [%{url: slow}])

        for load <- [&Vitrine.new/2, &Vitrine.compile/2] do
          error = error!(load.(manifest, options))
          assert error.reason == :manifest

          assert error.message ==
                   "the module #{slow} cannot be downloaded: it took longer than the #{said}"
        end
      end
    end

    @tag :slow
    test "is shared by several downloads", %{server: server} do
      # Each has time enough, together they have not.
      late = fn name -> %{url: Server.url(server, "/late_module"), name: name} end
      assert {:ok, _} = Vitrine.new(%{wasm: [late.("a")]}, timeout: 5_000)
      manifest = %{wasm: Enum.map(~w(a b c d e f g h i j), late)}
      error = error!(Vitrine.new(manifest, timeout: 1_500))
      assert error.message =~ "longer than the 1500 ms that all downloads may take"
    end

    test "must be a number of milliseconds" do
      assert_raise ArgumentError, ~r/:timeout to be milliseconds/, fn ->
        Vitrine.new(%{wasm: [%{url: "http://127.0.0.1:1/"}]}, timeout: -1)
      end
    end
  end

  describe "the cache" do
    test "is asked first, for what has a hash", %{server: server, cache: cache} do
      source = source(server, 10, %{hash: hash(bytes(10))})
      assert fetch(source, cache) == {:ok, bytes(10)}
      assert requested?()
      # Wherever it is to come from, and if that is gone.
      assert fetch(%{source | url: "http://127.0.0.1:1/"}, cache) == {:ok, bytes(10)}
      refute requested?()
    end

    test "is not used for a source without a hash", %{server: server, cache: cache} do
      for _ <- 1..2 do
        assert fetch(source(server, 10, %{hash: nil}), cache) == {:ok, bytes(10)}
        assert requested?()
      end

      refute File.exists?(cache)
    end

    test "is not trusted: its files are verified", %{server: server, cache: cache} do
      hash = hash(bytes(10))
      source = source(server, 10, %{hash: hash})
      path = Path.join(cache, hash)

      damage = [
        fn -> File.write!(path, "damaged") end,
        fn -> File.write!(path, "") end,
        fn -> File.write!(path, bytes(2_000)) end,
        fn -> File.ln_s!("/dev/zero", path) end,
        fn -> File.ln_s!(path, path) end
      ]

      for damage <- damage do
        File.mkdir_p!(cache)
        File.rm(path)
        damage.()
        assert fetch(source, cache, max_bytes: 1_000) == {:ok, bytes(10)}
        assert requested?()
        assert File.read!(path) == bytes(10)
        assert File.lstat!(path).type == :regular
        assert File.ls!(cache) == [hash]
      end
    end

    test "keeps no module beyond the limit", %{server: server, cache: cache} do
      content = bytes(2_000)
      File.mkdir_p!(cache)
      File.write!(Path.join(cache, hash(content)), content)
      source = source(server, 2_000, %{hash: hash(content)})
      assert error!(fetch(source, cache, max_bytes: 1_999)).message =~ "exceeds"
      assert File.ls!(cache) == []
    end

    test "may be missing or read-only", %{server: server, cache: cache} do
      File.mkdir_p!(cache)
      file = Path.join(cache, "file")
      File.write!(file, "")
      source = source(server, 10, %{hash: hash(bytes(10))})

      for directory <- [false, file, Path.join(file, "below")] do
        for _ <- 1..2 do
          assert fetch(source, directory) == {:ok, bytes(10)}
          assert requested?()
        end
      end

      # A directory stands in the place of the content.
      File.mkdir_p!(Path.join([cache, hash(bytes(10)), "x"]))
      assert fetch(source, cache) == {:ok, bytes(10)}
      assert Enum.sort(File.ls!(cache)) == Enum.sort(["file", hash(bytes(10))])
    end

    test "may be used by many at once", %{server: server, cache: cache} do
      source = source(server, 100_000, %{hash: hash(bytes(100_000))})
      tasks = for _ <- 1..20, do: Task.async(fn -> fetch(source, cache) end)
      assert Enum.all?(Task.await_many(tasks, 60_000), &(&1 == {:ok, bytes(100_000)}))
      assert File.ls!(cache) == [source.hash]
    end
  end
end
