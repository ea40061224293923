defmodule Vitrine.HTTP.PolicyTest do
  # Tests the limits of plugins' HTTP: the hosts, URLs and headers, the amounts, and the targets of
  # redirects.
  use ExUnit.Case, async: true

  import Vitrine.Guests
  import Vitrine.HTTPGuest

  alias Vitrine.HTTP.{Exchange, Hosts, Policy, Request, Response, URL}
  alias Vitrine.MisbehavingServer, as: Server

  # A web of pages: answers from a map of URLs, or 404, and tells what it was asked.
  defmodule Web do
    @behaviour Vitrine.HTTP

    @impl true
    def request(%Request{} = request, options) do
      send(options[:tell], {:requested, request})
      {:ok, Map.get(options[:pages], request.url, %Response{status: 404})}
    end
  end

  defp policy(hosts, pages \\ %{}, fields \\ []) do
    policy = %Policy{
      client: {Web, pages: pages, tell: self()},
      hosts: if(hosts == :all, do: :all, else: Hosts.compile(hosts)),
      max_response_bytes: 1_000
    }

    struct!(policy, fields)
  end

  defp redirect(status \\ 302, location),
    do: %Response{status: status, headers: [{"Location", location}]}

  defp run(policy, url, request \\ []) do
    method = request[:method] || "GET"
    Exchange.run(policy, {method, url, request[:headers] || [], request[:body]}, 1_000)
  end

  defp message(result) do
    assert {:error, message, _} = result
    message
  end

  defp permission(hosts, host),
    do: Hosts.permission(hosts, %URL{host: host, scheme: "http", port: 80, target: "/"})

  # The requests that were made, in order.
  defp requested do
    receive do
      {:requested, request} -> [request | requested()]
    after
      0 -> []
    end
  end

  describe "allowed hosts" do
    test "are none unless they are given" do
      for hosts <- [nil, []] do
        plugin = plugin!(allowed_hosts: hosts, http: {Web, pages: %{}, tell: self()})
        error = error!(get(plugin, "https://example.com/path?q"))

        assert {error.reason, error.message} ==
                 {:http,
                  "HTTP request to https://example.com/path?q is not allowed: " <>
                    "no host is allowed (allowed_hosts: [])"}

        assert requested() == []
      end
    end

    test "that could never be reached are refused" do
      for {host, fault} <- [
            {"https://api.example.com/", "has a scheme"},
            {"example.com/path", "has a path"},
            {"example.com:80", "has a port"},
            {"*:443", "has a port"},
            {"[::1]:80", "has a port"},
            {"", "is empty"}
          ] do
        assert_raise ArgumentError,
                     ~r/path, but #{Regex.escape(inspect(host))} #{fault}/,
                     fn ->
                       plugin!(allowed_hosts: ["example.com", host])
                     end
      end

      for host <- ["[::1]", "*.example.com", "10.0.0.[0-9]", "*"],
          do: assert(plugin!(allowed_hosts: [host]))
    end

    test "are named by the refusal of another one" do
      hosts = for n <- 1..7, do: "#{n}.example.com"
      error = error!(get(plugin!(allowed_hosts: hosts), "https://example.com/"))

      assert error.message ==
               "HTTP request to https://example.com/ is not allowed: its host is not one of allowed_hosts: " <>
                 ~s("1.example.com", "2.example.com", "3.example.com", "4.example.com", "5.example.com" and 2 more)
    end

    test "are names and patterns of names" do
      for {pattern, host, allowed} <- [
            {"example.com", "example.com", true},
            {"example.com", "www.example.com", false},
            {"example.com", "example.com.evil.org", false},
            {"*.example.com", "www.example.com", true},
            {"*.example.com", "a.b.example.com", true},
            {"*.example.com", "example.com", false},
            {"*", "example.com", true},
            {"**", "example.com", true},
            {"ex*le.*", "example.com", true},
            {"api?.example.com", "api1.example.com", true},
            {"api?.example.com", "api.example.com", false},
            {"api[0-9].example.com", "api7.example.com", true},
            {"api[0-9].example.com", "apix.example.com", false},
            {"api[!0-9].example.com", "apix.example.com", true},
            {"api[!0-9].example.com", "api7.example.com", false},
            {"[]-]", "-", true},
            {"EXAMPLE.com", "example.com", true},
            {"[::1]", "[::1]", true},
            {"127.0.0.1", "127.0.0.1", true},
            # No pattern, but what stands there.
            {"api[0", "api[0", true},
            {"api[0", "api0", false},
            # Hosts have neither.
            {"example.com:80", "example.com", false},
            {"http://example.com", "example.com", false},
            {"", "example.com", false}
          ] do
        hosts = Hosts.compile([pattern])
        assert permission(hosts, host) != :none == allowed, "#{pattern} and #{host}"
      end

      assert permission(Hosts.compile([]), "example.com") == :none
      assert permission(Hosts.compile(["a", "b", "c"]), "c") == :public
    end

    test "are matched in little work, whatever the plugin asks for" do
      hosts = Hosts.compile([String.duplicate("*a", 50) <> "b"])
      host = String.duplicate("a", 255)
      {reductions, :none} = Vitrine.Usage.reductions(fn -> permission(hosts, host) end)
      assert reductions < 1_000_000
    end

    test "see the host that is connected to, however the URL is written" do
      for {url, host} <- [
            {"http://EXAMPLE.com/", "example.com"},
            {"http://user:pass@example.com:8080/", "example.com"},
            {"http://evil.org@example.com/", "example.com"},
            {"http://evil.org\\@example.com/", "example.com"},
            {"http://example.com?@evil.org/", "example.com"},
            {"http://example.com#@evil.org/", "example.com"},
            {"http://127.1/", "127.0.0.1"},
            {"http://2130706433/", "127.0.0.1"},
            {"http://0x7f000001/", "127.0.0.1"},
            {"http://[0:0:0:0:0:0:0:1]/", "[::1]"}
          ] do
        assert {:ok, _} = run(policy([host]), url)
        assert [%{url: made}] = requested()
        assert URI.parse(made).host == String.trim(host, "[") |> String.trim("]")
        assert message(run(policy(["other.net"]), url)) =~ "is not allowed"
        assert requested() == []
      end
    end
  end

  describe "a URL" do
    test "must be one of http or https, with a host and nothing odd" do
      for {url, why} <- [
            {"ftp://example.com/", "only http and https"},
            {"file:///etc/passwd", "only http and https"},
            {"javascript:alert(1)", "not a URL"},
            {"example.com", "not a URL"},
            {"//example.com/", "not a URL"},
            {"http:///path", "not a URL"},
            {"http://ex ample.com/", "not a URL"},
            {"http://ex%61mple.com/", "not a URL"},
            {"http://exämple.com/", "not a URL"},
            {"http://example.com:port/", "not a URL"},
            {"http://example.com:65536/", "not a port"},
            {"http://[1.2.3.4]/", "not an IPv6 address"},
            {"http://[fe80::1%25eth0]/", "not a URL"},
            {"http://example.com/\r\nHost: evil.org", "control characters"},
            {"http://example.com/" <> String.duplicate("x", 20_000),
             "the URL has 20019 bytes; the limit is 16384 bytes"},
            {"", "not a URL"}
          ] do
        message = message(run(policy(["*"]), url))
        assert message =~ why
        assert byte_size(message) < 1_000
        refute message =~ "\n"
      end

      assert requested() == []
    end

    test "is made whole: encoded, without dots, fragment and password" do
      for {url, made} <- [
            {"http://a", "http://a/"},
            {"http://a?q=1", "http://a/?q=1"},
            {"http://a:80/", "http://a/"},
            {"https://a:443/", "https://a/"},
            {"https://a:80/", "https://a:80/"},
            {"http://a/b/../c/./d/..", "http://a/c/"},
            {"http://a/../../b", "http://a/b"},
            {"http://a/ü b?c[]=d|e#f", "http://a/%C3%BC%20b?c%5B%5D=d%7Ce"},
            {"http://a/%20/100%/%2e", "http://a/%20/100%25/%2e"},
            {"http://u:p@a/", "http://a/"}
          ] do
        assert {:ok, _} = run(policy(["a"]), url)
        assert [%{url: ^made}] = requested()
      end
    end

    test "with user and password means the header, unless that is given" do
      run(policy(["a"]), "http://me:p%40ss@a/")
      assert [%{headers: [{"authorization", basic}]}] = requested()
      assert basic == "Basic " <> Base.encode64("me:p@ss")

      run(policy(["a"]), "http://me@a/", headers: %{"Authorization" => "Bearer x"})
      assert [%{headers: [{"authorization", "Bearer x"}]}] = requested()
    end
  end

  describe "a method" do
    test "is one that the standards know" do
      for method <- ~w(GET HEAD POST PUT PATCH DELETE OPTIONS TRACE) do
        assert {:ok, _} = run(policy(["a"]), "http://a/", method: method)
        assert [%{method: ^method}] = requested()
      end

      for method <- ["CONNECT", "BREW", "", "GET / HTTP/1.1\r\nX: y"] do
        assert message(run(policy(["a"]), "http://a/", method: method)) =~ "the method"
        assert requested() == []
      end
    end
  end

  describe "a header" do
    test "that could be more than one is refused" do
      for {name, value} <- [
            {"a", "1\r\nb: 2"},
            {"a", "1\n"},
            {"a", "1\0"},
            {"a\r\nb", "1"},
            {"a:", "1"},
            {"a b", "1"},
            {"", "1"},
            {"ä", "1"},
            # Letters that become others in lower case.
            {"\u212Aeep-alive", "1"}
          ] do
        result = run(policy(["a"]), "http://a/", headers: %{name => value})
        assert message(result) =~ "that cannot be sent"
        assert requested() == []
      end
    end

    test "that is the client's is dropped" do
      headers =
        for name <- ~w(Host Content-Length Transfer-Encoding Connection Keep-Alive Upgrade
                       Expect TE Trailer Proxy-Connection Proxy-Authorization HTTP2-Settings),
            into: %{"x" => "stays"},
            do: {name, "1"}

      run(policy(["a"]), "http://a/", headers: headers)
      assert [%{headers: [{"x", "stays"}]}] = requested()
    end

    test "has a lower-case name, occurs once, and its value is trimmed" do
      run(policy(["a"]), "http://a/", headers: [{"A", "1"}, {"a", "\t 2 é "}])
      assert [%{headers: [{"a", "2 é"}]}] = requested()
    end
  end

  describe "a redirect" do
    test "is followed, relative ones too" do
      pages = %{
        "http://a/one/two?q" => redirect("three"),
        "http://a/one/three" => redirect("/four"),
        "http://a/four" => redirect("?q=5"),
        "http://a/four?q=5" => redirect("//b:81/six"),
        "http://b:81/six" => redirect("https://c/#there"),
        "https://c/" => %Response{status: 200, body: "arrived"}
      }

      assert {:ok, {200, [], "arrived"}} = run(policy(["?"], pages), "http://a/one/two?q")
      assert length(requested()) == 6
    end

    test "to a host that is not allowed is refused" do
      pages = %{"http://a/" => redirect("http://b/x")}
      message = message(run(policy(["a"], pages), "http://a/"))

      assert message ==
               "HTTP request to http://b/x, to which http://a/ redirects, is not allowed: " <>
                 ~s(its host is not one of allowed_hosts: "a")

      assert [%{url: "http://a/"}] = requested()
    end

    test "to another port or name of the same server is looked at as well" do
      server = start_supervised!(Server)
      plugin = plugin!()
      here = Server.url(server, "/status/200")
      there = Server.url(server, "/status/200", "localhost")
      from = Server.url(server, "/redirect/302?")
      assert get(plugin, from <> here) == {:ok, "the page of 200"}
      assert error!(get(plugin, from <> there)).message =~ "http://localhost:"
    end

    test "to an invalid location is an error" do
      for {location, why} <- [
            {"file:///etc/passwd", "only http and https"},
            {"http://a b/", "not a URL"},
            {"https:x", "not a URL"},
            {"http://a/\x01", "control characters"},
            {<<"http://a", 255, "/">>, "not a URL"}
          ] do
        pages = %{"http://a/" => redirect(location)}
        message = message(run(policy(["*"], pages), "http://a/"))
        assert message =~ "HTTP request to http://a/ failed: it redirects to "
        assert message =~ why
        assert String.valid?(message)
      end
    end

    test "may be the tenth, but not the eleventh" do
      server = start_supervised!(Server)
      plugin = plugin!()
      assert get(plugin, Server.url(server, "/hops/10")) == {:ok, "arrived"}
      error = error!(get(plugin, Server.url(server, "/hops/11")))
      assert error.message =~ "there are more than 10 redirects"
    end

    test "that leads to itself ends" do
      pages = %{"http://a/" => redirect("http://a/")}
      assert message(run(policy(["a"], pages), "http://a/")) =~ "more than 10 redirects"
      assert length(requested()) == 11
    end

    test "never leads from https to http" do
      pages = %{"https://a/" => redirect("http://a/")}
      message = message(run(policy(["a"], pages), "https://a/"))
      assert message == "HTTP request to https://a/ failed: it redirects from https to http"
      assert [_] = requested()
    end

    test "keeps the method and body, or makes them GET, as browsers do" do
      for {status, method, next} <- [
            {301, "POST", "GET"},
            {302, "POST", "GET"},
            {303, "POST", "GET"},
            {307, "POST", "POST"},
            {308, "POST", "POST"},
            {302, "PUT", "PUT"},
            {303, "PUT", "GET"},
            {303, "HEAD", "HEAD"},
            {302, "HEAD", "HEAD"},
            {302, "GET", "GET"}
          ] do
        pages = %{"http://a/" => redirect(status, "/b")}
        headers = %{"content-type" => "text/plain", "x" => "y"}

        request = [method: method, headers: headers, body: "body"]
        assert {:ok, {404, _, _}} = run(policy(["a"], pages), "http://a/", request)

        assert [_, made] = requested()
        assert {made.method, made.url} == {next, "http://a/b"}

        if next == method do
          assert {made.body, made.headers} == {"body", Enum.to_list(headers)}
        else
          assert {made.body, made.headers} == {nil, [{"x", "y"}]}
        end
      end
    end

    test "takes secrets along on the same server only" do
      secrets = %{"authorization" => "a", "cookie" => "c", "x" => "y"}

      for {to, kept} <- [
            {"http://a/b", true},
            {"http://a:81/", false},
            {"http://b/", false},
            {"https://a/", false}
          ] do
        pages = %{"http://a/" => redirect(to)}
        run(policy(["*"], pages), "http://a/", headers: secrets)
        assert [_, made] = requested()
        expected = if kept, do: Enum.to_list(secrets), else: [{"x", "y"}]
        assert made.headers == expected
      end

      # And what was lost on the way does not come back.
      pages = %{"http://a/" => redirect("http://b/"), "http://b/" => redirect("http://a/c")}
      run(policy(["*"], pages), "http://me:pass@a/")
      assert [[_], [], []] = Enum.map(requested(), & &1.headers)
    end

    test "needs a location and a redirect status" do
      for response <- [%Response{status: 302}, redirect(300, "/b"), redirect(304, "/b")] do
        assert {:ok, {status, _, _}} = run(policy(["a"], %{"http://a/" => response}), "http://a/")
        assert status == response.status
      end
    end
  end

  describe "the size of a response" do
    test "is limited, also if the client does not limit it" do
      for {size, max, fits} <- [{10, 10, true}, {11, 10, false}, {0, 0, true}, {1, 0, false}] do
        body = String.duplicate("x", size)
        pages = %{"http://a/" => %Response{status: 200, body: body}}
        result = run(policy(["a"], pages, max_response_bytes: max), "http://a/")

        if fits do
          assert result == {:ok, {200, [], body}}
        else
          assert message(result) ==
                   "HTTP response exceeds the configured maximum number of bytes: #{max} " <>
                     "(memory: %{max_http_response_bytes: #{max}})"
        end
      end
    end

    test "is 50 MiB by default, and not a byte more" do
      server = start_supervised!(Server)
      plugin = plugin!(timeout: 30_000)
      assert {:ok, body} = get(plugin, Server.url(server, "/bytes/52428800"))
      assert byte_size(body) == 52_428_800
      error = error!(get(plugin, Server.url(server, "/bytes/52428801")))

      assert {error.reason, error.message} ==
               {:http,
                "HTTP response exceeds the configured maximum number of bytes: 52428800 " <>
                  "(memory: %{max_http_response_bytes: 52428800})"}
    end

    test "and the allowed hosts are those of the manifest, unless options say otherwise" do
      server = start_supervised!(Server)

      manifest = %{
        wasm: [%{path: wat("http")}],
        allowed_hosts: ["127.0.0.*"],
        memory: %{max_http_response_bytes: 9}
      }

      plugin = new!(manifest)
      assert get(plugin, Server.url(server, "/bytes/9")) == {:ok, "xxxxxxxxx"}
      message = "HTTP response exceeds the configured maximum number of bytes: 9 "
      assert error!(get(plugin, Server.url(server, "/bytes/10"))).message =~ message

      larger = new!(manifest, memory: %{max_http_response_bytes: 10})
      assert {:ok, _} = get(larger, Server.url(server, "/bytes/10"))
      none = new!(manifest, allowed_hosts: [])
      assert error!(get(none, Server.url(server, "/bytes/9"))).message =~ "is not allowed"
    end
  end

  describe "the time of a request" do
    test "ends with the call's, redirects included" do
      server = start_supervised!(Server)
      slow = Server.url(server, "/slow_redirect?/slow_redirect")
      assert reason(get(plugin!(), slow, [], timeout: 250)) == :timeout
    end

    test "can be made shorter by the client's options" do
      server = start_supervised!({Server, []})
      plugin = plugin!(http: {Vitrine.HTTP.Client, connect_timeout: 50}, timeout: 10_000)
      # The server does not speak TLS, and waits for more.
      url = String.replace(Server.url(server, "/"), "http:", "https:")
      error = error!(get(plugin, url))
      assert {error.reason, error.exception} == {:http, :timeout}
      assert error.message =~ "failed: it took too long"
    end
  end
end
