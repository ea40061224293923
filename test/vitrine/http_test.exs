defmodule Vitrine.HTTPTest do
  # Tests what plugins can do with HTTP, from their side.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests
  import Vitrine.HTTPGuest

  alias Vitrine.HTTP.Response
  alias Vitrine.MisbehavingServer, as: Server

  # A client that answers with what the option says, and tells who called it with what.
  defmodule Canned do
    @behaviour Vitrine.HTTP

    @impl true
    def request(request, options) do
      if options[:tell], do: send(options[:tell], {:requested, self(), request, options})
      options[:answer].(request)
    end
  end

  defp canned(answer, options \\ []) when is_function(answer, 1),
    do: {Canned, [answer: answer, tell: self()] ++ options}

  setup do
    {:ok, server: start_supervised!(Server)}
  end

  describe "http_request" do
    test "fetches a page", %{server: server} do
      plugin = plugin!()
      assert {:ok, answer} = get(plugin, Server.url(server, "/echo?a=1"))
      assert [line | headers] = String.split(answer, "\n", trim: true)
      assert line == "GET /echo?a=1"
      assert "host: 127.0.0.1:" <> _ = Enum.find(headers, &(&1 =~ "host"))
      assert "connection: close" in headers
      assert "user-agent: vitrine" in headers
      refute Enum.any?(headers, &(&1 =~ "content-length"))
      assert status(plugin) == 200
    end

    test "sends the method, the headers and the body that the guest gives", %{server: server} do
      plugin = plugin!()
      url = Server.url(server, "/echo")

      for method <- ~w(POST PUT PATCH DELETE OPTIONS GET) do
        fields = [{"method", String.downcase(method)}, {"headers", [{"X-Key", "ü, v"}]}]
        body = :crypto.strong_rand_bytes(1_000)
        assert {:ok, answer} = post(plugin, url, body, fields)
        assert [head, ^body] = String.split(answer, "\n\n", parts: 2)
        assert String.starts_with?(head, method <> " /echo\n")
        assert head =~ "\nx-key: ü, v"
        assert head =~ "\ncontent-length: 1000"
      end
    end

    test "says that there is no body where one is expected", %{server: server} do
      for {method, says} <- [{"POST", true}, {"PUT", true}, {"PATCH", true}, {"DELETE", false}] do
        {:ok, answer} = get(plugin!(), Server.url(server, "/echo"), [{"method", method}])
        assert answer =~ "content-length: 0" == says, method
      end
    end

    test "carries large bodies both ways", %{server: server} do
      body = :crypto.strong_rand_bytes(3_000_000)
      assert {:ok, answer} = post(plugin!(), Server.url(server, "/echo"), body)
      assert String.ends_with?(answer, body)
      assert byte_size(answer) < byte_size(body) + 1_000
    end

    test "lets the guest set the user-agent and accept headers", %{server: server} do
      headers = [{"User-Agent", "me"}, {"Accept", "text/html"}, {"Accept-Encoding", "br"}]
      {:ok, answer} = get(plugin!(), Server.url(server, "/echo"), [{"headers", headers}])
      for {name, value} <- headers, do: assert(answer =~ "#{String.downcase(name)}: #{value}\n")
      refute answer =~ "vitrine"
      refute answer =~ "gzip"
    end

    test "gives a body that it asked for in gzip as it came", %{server: server} do
      plugin = plugin!(http_response_headers: true)
      url = Server.url(server, "/gzip")
      assert get(plugin, url) == {:ok, "one, two"}
      refute headers(plugin) =~ "content-encoding"

      fields = [{"headers", [{"Accept-Encoding", "gzip"}]}]
      assert {:ok, <<31, 139, _::binary>>} = get(plugin, url, fields)
      assert headers(plugin) =~ ~s("content-encoding":"GZIP")
    end

    test "gives the body of any status, and the status", %{server: server} do
      plugin = plugin!()

      for status <- [200, 201, 300, 304, 400, 404, 500, 599] do
        body = if status == 304, do: "", else: "the page of #{status}"
        assert get(plugin, Server.url(server, "/status/#{status}")) == {:ok, body}
        assert status(plugin) == status
      end
    end

    test "gives an empty body where the response has none", %{server: server} do
      plugin = plugin!()
      assert get(plugin, Server.url(server, "/no_content")) == {:ok, ""}
      assert status(plugin) == 204
      assert get(plugin, Server.url(server, "/echo"), [{"method", "HEAD"}]) == {:ok, ""}
      assert status(plugin) == 200
    end

    test "reads bodies however they are framed", %{server: server} do
      plugin = plugin!()
      assert get(plugin, Server.url(server, "/chunks")) == {:ok, "abc0123456789"}
      assert get(plugin, Server.url(server, "/until_closed")) == {:ok, "all there is"}
      assert get(plugin, Server.url(server, "/early_hints")) == {:ok, "after the hints"}
    end

    test "works while the plugin is initialised", %{server: server} do
      url = Server.url(server, "/bytes/7")

      stores =
        for {byte, at} <- Enum.with_index(to_charlist(json([{"url", url}]))) do
          "(call $store (i64.add (local.get $p) (i64.const #{at})) (i32.const #{byte}))"
        end

      source = """
      (module
        (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "length" (func $length (param i64) (result i64)))
        (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
        (import "extism:host/env" "http_request" (func $request (param i64 i64) (result i64)))
        (global $length_of_answer (mut i64) (i64.const 0))
        (func $start (local $p i64)
          (local.set $p (call $alloc (i64.const #{length(stores)})))
          #{stores}
          (global.set $length_of_answer
            (call $length (call $request (local.get $p) (i64.const 0)))))
        (start $start)
        (func (export "code") (result i32) (i32.wrap_i64 (global.get $length_of_answer))))
      """

      plugin = new!(source, allowed_hosts: ["127.0.0.1"])
      assert error!(Vitrine.call(plugin, "code")).code == 7
      assert reason(Vitrine.new(source)) == :http
    end
  end

  describe "http_headers" do
    test "is empty unless it is granted", %{server: server} do
      plugin = plugin!()
      get(plugin, Server.url(server, "/echo"))
      assert headers(plugin) == ""
    end

    test "has lower-case names and all values of each, of those that can be shown", ctx do
      plugin = plugin!(http_response_headers: true)
      assert headers(plugin) == "{}"
      assert get(plugin, Server.url(ctx.server, "/odd_headers")) == {:ok, "ok"}

      assert headers(plugin) ==
               ~s({"content-length":"2","empty":"","folded":"a b","x-twice":"one, two"})
    end

    test "has each cookie of several on a line of its own, as commas stand in them" do
      dated = "b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT"

      for headers <- [
            [{"Set-Cookie", "a=1"}, {"set-cookie", dated}],
            %{"set-cookie" => ["a=1", dated]}
          ] do
        answer = fn _ -> {:ok, %Response{status: 200, headers: headers}} end
        plugin = plugin!(http: canned(answer), http_response_headers: true)
        get(plugin, "http://127.0.0.1/")
        assert {:ok, %{"set-cookie" => cookies}} = Vitrine.Codec.decode(:json, headers(plugin))
        assert String.split(cookies, "\n") == ["a=1", dated]
      end
    end

    test "has the target of the last request only", %{server: server} do
      plugin = plugin!(http_response_headers: true)
      get(plugin, Server.url(server, "/echo?1"))
      get(plugin, Server.url(server, "/echo?2"))
      assert headers(plugin) =~ ~s("x-target":"/echo?2")
      assert error!(get(plugin, "http://forbidden.example/"))
      assert {headers(plugin), status(plugin)} == {"{}", 0}
    end
  end

  describe "a request that fails" do
    test "ends the call with the reason :http and what happened" do
      error = error!(get(plugin!(), "http://127.0.0.1:1/path"))
      assert error.reason == :http
      assert error.message == "HTTP request to http://127.0.0.1:1/path failed: connection refused"
      assert error.exception == :econnrefused
      assert {error.plugin, error.function} == {"http", "get"}
    end

    test "leaves a plugin that works", %{server: server} do
      plugin = plugin!()
      assert reason(get(plugin, "http://127.0.0.1:1/")) == :http
      assert get(plugin, Server.url(server, "/status/200")) == {:ok, "the page of 200"}
    end

    test "shows no password", %{server: server} do
      url = String.replace(Server.url(server, "/nothing"), "//", "//me:secret@")
      message = error!(get(plugin!(), url)).message
      assert message =~ "/nothing failed"
      refute message =~ "secret"
    end
  end

  describe "the option :http" do
    test "with false makes every request an error that says so" do
      plugin = plugin!(http: false)
      error = error!(get(plugin, "http://127.0.0.1/x"))

      assert {error.reason, error.message} ==
               {:http,
                "HTTP request to http://127.0.0.1/x is not allowed: HTTP is not enabled (http: false)"}
    end

    test "is a custom client, called in the calling process with the request and the limits" do
      answer = fn _ -> {:ok, %Response{status: 200, body: ["io", ?l, ["ist"]]}} end
      plugin = plugin!(http: canned(answer, extra: 1))
      fields = [{"headers", [{"A", " b "}]}]
      assert get(plugin, "http://127.0.0.1:80/a b", fields, timeout: 1_000) == {:ok, "iolist"}

      assert_received {:requested, pid, request, options}
      assert pid == self()
      assert request.method == "GET"
      assert request.url == "http://127.0.0.1/a%20b"
      assert request.headers == [{"a", "b"}]
      assert request.body == nil
      assert options[:timeout] in 1..1_002
      assert options[:max_response_bytes] == 52_428_800
      assert options[:cancelled?].() == false
      assert options[:extra] == 1
    end

    test "is called in the caller of a server, too" do
      answer = fn _ -> {:ok, %Response{status: 200, body: inspect(self())}} end

      server =
        start_supervised!(
          {Vitrine.Server, source: wat("http"), allowed_hosts: ["*"], http: canned(answer)}
        )

      assert get(server, "http://example.com/") == {:ok, inspect(self())}
      task = Task.async(fn -> {get(server, "http://example.com/"), self()} end)
      assert {{:ok, pid}, task_pid} = Task.await(task, 60_000)
      assert pid == inspect(task_pid)
    end

    test "takes headers as Req, Finch and Plug have them" do
      for {headers, seen} <- [
            {[{"X-A", "1"}, {"x-a", "2"}, {"b", "c"}], "1, 2"},
            {%{"x-a" => ["1", "2"], "b" => ["c"]}, "1, 2"},
            {%{"x-a" => "2", "B" => "c"}, "2"}
          ] do
        answer = fn _ -> {:ok, %Response{status: 200, headers: headers}} end
        plugin = plugin!(http: canned(answer), http_response_headers: true)
        get(plugin, "http://127.0.0.1/")
        assert headers(plugin) == ~s({"b":"c","x-a":"#{seen}"})
      end
    end

    test "may fail in any way: the caller sees how" do
      for {answer, message, fields} <- [
            {fn _ -> {:error, "no luck"} end, "no luck", %{exception: "no luck"}},
            {fn _ -> {:error, :nxdomain} end, "non-existing domain", %{exception: :nxdomain}},
            {fn _ -> {:error, {:odd, 1}} end, "{:odd, 1}", %{exception: {:odd, 1}}},
            {fn _ -> {:error, %RuntimeError{message: "m"}} end, "m", %{kind: nil}},
            {fn _ -> {:error, :timeout} end, "it took too long", %{exception: :timeout}},
            {fn _ -> raise "oops" end, "the client #{inspect(Canned)} failed",
             %{kind: :error, exception: %RuntimeError{message: "oops"}}},
            {fn _ -> throw(:ball) end, "the client #{inspect(Canned)} failed",
             %{kind: :throw, exception: :ball}},
            {fn _ -> exit(:stage) end, "the client #{inspect(Canned)} failed",
             %{kind: :exit, exception: :stage}},
            {fn _ -> {:ok, "body"} end, "{:error, reason}, answered: \"body\"", %{}},
            {fn _ -> {:ok, %Response{status: 20}} end, "status: 20", %{}},
            {fn _ -> {:ok, %Response{status: 200, body: 1}} end, "body: 1", %{}},
            {fn _ -> {:ok, %Response{status: 200, headers: 1}} end, "headers: 1", %{}},
            {fn _ -> {:ok, %Response{status: 200, headers: [{1, 2}]}} end, "headers: [{1, 2}]",
             %{}},
            {fn _ -> :ok end, "answered: :ok", %{}}
          ] do
        plugin = plugin!(http: canned(answer))
        error = error!(get(plugin, "http://127.0.0.1/"))
        assert error.reason == :http
        assert String.starts_with?(error.message, "HTTP request to http://127.0.0.1/ failed: ")
        assert error.message =~ message
        assert Map.take(error, Map.keys(fields)) == fields
        if error.kind == :error, do: assert([_ | _] = error.stacktrace)
      end
    end

    test "must be a client" do
      for wrong <- [String, {String, []}, nil, true, "x", {Canned, :x}, NoSuchModule] do
        assert_raise ArgumentError, ~r/expected :http to be a module/, fn ->
          plugin!(http: wrong)
        end
      end

      for {options, message} <- [
            {[colour: 1], ~r/colour/},
            {[connect_timeout: 0], ~r/:connect_timeout/},
            {[max_header_bytes: :infinity], ~r/:max_header_bytes/},
            {[ssl: %{}], ~r/:ssl/}
          ] do
        assert_raise ArgumentError, message, fn ->
          plugin!(http: {Vitrine.HTTP.Client, options})
        end
      end
    end
  end

  describe "the options :allowed_hosts and :http_response_headers" do
    test "raise for values of another type" do
      for wrong <- ["example.com", ["a", :b], [<<255>>], %{}] do
        assert_raise ArgumentError, ~r/:allowed_hosts/, fn -> plugin!(allowed_hosts: wrong) end
      end

      assert_raise ArgumentError, ~r/:http_response_headers/, fn ->
        plugin!(http_response_headers: 1)
      end
    end
  end
end
