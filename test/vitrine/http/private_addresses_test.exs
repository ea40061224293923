defmodule Vitrine.HTTP.PrivateAddressesTest do
  # Tests which addresses a plugin reaches, whatever a URL or a name server says. Not async: names are put into
  # the VM's table of hosts.
  use ExUnit.Case, async: false

  doctest Vitrine.HTTP

  import Vitrine.Guests
  import Vitrine.HTTPGuest

  alias Vitrine.Certificates
  alias Vitrine.HTTP.{Client, Exchange, Hosts, Policy, Response}
  alias Vitrine.Loader.Download
  alias Vitrine.MisbehavingServer, as: Server

  # A client that fetches nothing, and answers what it was asked for.
  defmodule Echo do
    @behaviour Vitrine.HTTP

    @impl true
    def request(request, options) do
      send(options[:tell], {:requested, request.url, options[:private]})
      {:ok, Map.get(options[:pages] || %{}, request.url, %Response{status: 200})}
    end
  end

  @names %{
    "loopback.test" => [{127, 0, 0, 1}],
    "metadata.test" => [{169, 254, 169, 254}],
    "db.internal" => [{127, 0, 0, 1}],
    "mixed.test" => [{127, 0, 0, 1}, {192, 0, 3, 1}],
    "mapped.test" => [{0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1}],
    "six.test" => [{0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254}]
  }

  setup_all do
    lookup = :inet_db.res_option(:lookup)
    :inet_db.set_lookup([:file | lookup])

    addresses = for {name, addresses} <- @names, address <- addresses, do: {address, name}

    for {address, names} <- Enum.group_by(addresses, &elem(&1, 0), &elem(&1, 1)),
        do: :inet_db.add_host(address, Enum.map(names, &String.to_charlist/1))

    on_exit(fn ->
      for {address, _} <- addresses, do: :inet_db.del_host(address)
      :inet_db.set_lookup(lookup)
    end)
  end

  defp run(hosts, url, client \\ {Echo, tell: self()}) do
    {module, options} = client
    options = if module == Echo, do: Keyword.put_new(options, :tell, self()), else: options

    policy = %Policy{
      client: {module, options},
      hosts: Hosts.compile(Enum.map(hosts, &Hosts.text/1)),
      max_response_bytes: 1_000
    }

    Exchange.run(policy, {"GET", url, [], nil}, 5_000)
  end

  defp refusal(result) do
    assert {:error, message, _} = result
    refute_received {:requested, _, _}
    message
  end

  defp own, do: {Client, connect_timeout: 200}

  describe "the pattern *" do
    test "allows no address that is not of the public internet, however it is written" do
      for {url, says} <- [
            {"http://127.0.0.1/", "127.0.0.1 is a loopback address"},
            {"http://127.1/", "127.0.0.1 is a loopback address"},
            {"http://127.255.255.254/", "a loopback address"},
            {"http://0x7f.1/", "127.0.0.1 is a loopback address"},
            {"http://0177.0.0.1/", "127.0.0.1 is a loopback address"},
            {"http://2130706433/", "127.0.0.1 is a loopback address"},
            {"http://127.0.0.1./", "127.0.0.1 is a loopback address"},
            {"http://0/", "0.0.0.0 is an unspecified address"},
            {"http://0.0.0.1/", "a reserved address"},
            {"http://10.0.0.5/", "a private address"},
            {"http://172.16.0.1/", "a private address"},
            {"http://172.31.255.255/", "a private address"},
            {"http://192.168.1.1/", "a private address"},
            {"http://100.64.0.1/", "a shared (RFC 6598) address"},
            {"http://100.100.100.200/", "a shared (RFC 6598) address"},
            {"http://169.254.169.254/latest/meta-data/", "a link-local address"},
            {"http://2852039166/", "169.254.169.254 is a link-local address"},
            {"http://168.63.129.16/", "a cloud service address"},
            {"http://192.0.0.192/", "a reserved address"},
            {"http://198.18.0.1/", "a benchmarking address"},
            {"http://224.0.0.1/", "a multicast address"},
            {"http://255.255.255.255/", "a broadcast address"},
            {"http://240.0.0.1/", "a reserved address"},
            {"http://[::]/", "an unspecified address"},
            {"http://[::1]/", "a loopback address"},
            {"http://[0:0:0:0:0:0:0:1]/", "[::1] is a loopback address"},
            {"http://[::127.0.0.1]/", "a reserved address"},
            {"http://[::ffff:127.0.0.1]/", "a loopback address"},
            {"http://[::ffff:7f00:1]/", "a loopback address"},
            {"http://[::ffff:0:127.0.0.1]/", "a loopback address"},
            {"http://[64:ff9b::169.254.169.254]/", "a link-local address"},
            {"http://[64:ff9b:1::1]/", "a private address"},
            {"http://[2002:7f00:1::]/", "a loopback address"},
            {"http://[2001:0:7f00:1::]/", "a Teredo address"},
            {"http://[2606:4700::5efe:10.0.0.1]/", "a private address"},
            {"http://[fd00:ec2::254]/", "a private address"},
            {"http://[fc00::1]/", "a private address"},
            {"http://[fe80::1]/", "a link-local address"},
            {"http://[fec0::1]/", "a site-local address"},
            {"http://[ff02::1]/", "a multicast address"},
            {"http://[100::1]/", "a reserved address"},
            {"http://[2001:db8::1]/", "a documentation address"}
          ] do
        assert refusal(run(["*"], url)) =~ says, url
      end
    end

    test "allows those of the public internet" do
      for url <- [
            "http://8.8.8.8/",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://169.253.0.1/",
            "http://[2606:4700:4700::1111]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[2002:808:808::1]/",
            "http://example.com/"
          ] do
        assert {:ok, {200, _, _}} = run(["*"], url)
        assert_received {:requested, _, false}
      end
    end

    test "refuses addresses that no URL can have, such as an IPv6 zone" do
      for url <- ["http://[fe80::1%25eth0]/", "http://[fe80::1%1]/", "http://[::1]x/"],
          do: assert(refusal(run(["*"], url)) =~ "it is not a URL")
    end

    test "reaches no such address by a name that has one" do
      server = start_supervised!(Server)
      plugin = plugin!(allowed_hosts: ["*"])

      for name <- ["localhost", "localhost.", "loopback.test", "LOOPBACK.test", "db.internal"] do
        error = error!(get(plugin, Server.url(server, "/status/200", name)))
        host = name |> String.downcase() |> String.trim_trailing(".")
        assert error.reason == :http

        assert error.message =~
                 ~s(is not allowed: #{host} has the address 127.0.0.1, a loopback one; ) <>
                   ~s(allowed_hosts: [{:private, "#{host}"}] would allow it)
      end

      assert refusal(run(["*"], "http://metadata.test/", own())) =~
               "169.254.169.254, a link-local one"

      assert refusal(run(["*"], "http://mapped.test/", own())) =~ "a loopback one"
      assert refusal(run(["*"], "http://six.test/", own())) =~ "fd00:ec2::254, a private one"
      assert Server.connections(server) == 0
    end

    test "gives the public addresses alone of a name that has others, too" do
      assert Vitrine.HTTP.resolve("http://mixed.test/") == {:ok, [{192, 0, 3, 1}]}
    end
  end

  describe "the address that is connected to" do
    test "is the one that was checked: the name is not resolved again" do
      server = start_supervised!(Server)
      plugin = plugin!(allowed_hosts: [{:private, "db.internal"}])
      :erlang.trace_pattern({:gen_tcp, :connect, 4}, true, [])
      :erlang.trace_pattern({:inet, :gethostbyname, 3}, true, [])
      test = self()

      request =
        Task.async(fn ->
          receive do: (:go -> get(plugin, Server.url(server, "/status/200", "db.internal")))
        end)

      :erlang.trace(request.pid, true, [:call, {:tracer, test}])
      send(request.pid, :go)
      assert Task.await(request, 60_000) == {:ok, "the page of 200"}
      assert_received {:trace, _, :call, {:inet, :gethostbyname, ['db.internal', :inet, _]}}
      assert_received {:trace, _, :call, {:gen_tcp, :connect, [{127, 0, 0, 1}, _, _, _]}}
      refute_received {:trace, _, :call, _}
    after
      :erlang.trace_pattern({:gen_tcp, :connect, 4}, false, [])
      :erlang.trace_pattern({:inet, :gethostbyname, 3}, false, [])
    end
  end

  describe "an address that is listed" do
    test "is allowed, as is a pattern of the addresses of a network" do
      for {listed, url} <- [
            {"10.0.0.5", "http://10.0.0.5/"},
            {"127.0.0.1", "http://127.1/"},
            {"10.*", "http://10.0.0.5/"},
            {"192.168.0.[0-9]", "http://192.168.0.7/"},
            {"[::1]", "http://[::1]/"},
            {"[0:0:0:0:0:0:0:1]", "http://[::1]/"},
            {"[FD00::1]", "http://[fd00::1]/"},
            {"private:[fd00::1]", "http://[fd00::1]/"},
            {{:private, "10.0.0.5"}, "http://10.0.0.5/"}
          ] do
        assert {:ok, _} = run(["*", listed], url)
        assert_received {:requested, _, true}
      end
    end

    test "allows neither another one, nor a name that a pattern of addresses fits" do
      assert refusal(run(["*", "10.0.0.5"], "http://10.0.0.6/")) =~
               ~s(10.0.0.6 is a private address; allowed_hosts: ["10.0.0.6"] would allow it)

      assert refusal(run(["10.0.0.5"], "http://10.0.0.6/")) =~ "not one of allowed_hosts"
      assert refusal(run(["*", "1*.0.0.1"], "http://127.0.0.1/")) =~ "a loopback address"

      assert {:ok, _} = run(["10.*"], "http://10.example.com/")
      assert_received {:requested, _, false}
    end
  end

  describe "a name that is listed" do
    test "as such may have a private address, and a pattern of names too" do
      server = start_supervised!(Server)
      url = Server.url(server, "/echo", "db.internal")

      for listed <- [
            {:private, "db.internal"},
            {:private, "*.internal"},
            {:private, "DB.internal"},
            {:private, "*"},
            "private:db.internal"
          ] do
        assert {:ok, answer} = get(plugin!(allowed_hosts: [listed]), url)
        assert answer =~ "host: db.internal:"
      end

      manifest =
        ~s({"wasm": [{"path": #{inspect(wat("http"))}}], "allowed_hosts": ["private:*.internal"]})

      assert {:ok, _} = get(new!(manifest), url)

      map = %{wasm: [%{path: wat("http")}], allowed_hosts: [private: "db.internal"]}
      assert {:ok, _} = get(new!(map), url)

      assert {:ok, %{allowed_hosts: ["private:db.internal"]} = manifest} =
               Vitrine.Manifest.new(map)

      assert Vitrine.Manifest.to_map(manifest)["allowed_hosts"] == ["private:db.internal"]
    end

    test "otherwise may not, unless it is localhost" do
      server = start_supervised!(Server)

      for listed <- ["db.internal", "*.internal"] do
        error =
          error!(
            get(plugin!(allowed_hosts: [listed]), Server.url(server, "/echo", "db.internal"))
          )

        assert error.message =~ ~s(allowed_hosts: [{:private, "db.internal"}] would allow it)
      end

      assert {:ok, _} =
               get(
                 plugin!(allowed_hosts: ["localhost"]),
                 Server.url(server, "/echo", "localhost")
               )
    end

    test "must be the name in the server's certificate" do
      {tls, authorities} = Certificates.make(["db.internal"])
      server = start_supervised!({Server, ssl: tls})
      client = {Client, ssl: [cacerts: authorities]}
      options = [http: client, allowed_hosts: [private: "*.internal", private: "*.test"]]
      plugin = plugin!(options)

      assert get(plugin, Server.url(server, "/status/200", "db.internal")) ==
               {:ok, "the page of 200"}

      error = error!(get(plugin, Server.url(server, "/status/200", "loopback.test")))
      assert error.message =~ "the server's certificate is for another host's name"
    end

    test "must be a string" do
      for wrong <- [{:private, 1}, {:public, "a"}, {:private, "a", "b"}, {:private, <<255>>}] do
        assert_raise ArgumentError, ~r/:allowed_hosts/, fn -> plugin!(allowed_hosts: [wrong]) end
      end

      for {listed, fault} <- [
            {{:private, "http://a/"}, "has a scheme"},
            {{:private, ""}, "is empty"},
            {"private:a:80", "has a port"}
          ] do
        assert_raise ArgumentError, ~r/#{fault}/, fn -> plugin!(allowed_hosts: [listed]) end
      end
    end
  end

  describe "a redirect" do
    test "leads to no address that is not listed, and lists none" do
      for location <- ["http://169.254.169.254/", "//127.1:80/", "http://[::ffff:a00:5]/"] do
        pages = %{
          "http://example.com/" => %Response{status: 302, headers: [{"location", location}]}
        }

        assert {:error, message, _} = run(["*"], "http://example.com/", {Echo, pages: pages})
        assert message =~ ", to which http://example.com/ redirects, is not allowed: "
        assert_received {:requested, "http://example.com/", false}
        refute_received {:requested, _, _}
      end

      server = start_supervised!(Server)
      plugin = plugin!(allowed_hosts: ["*", "127.0.0.1"])
      to = Server.url(server, "/status/200", "db.internal")
      error = error!(get(plugin, Server.url(server, "/redirect/302?#{to}")))
      assert error.message =~ "db.internal has the address 127.0.0.1, a loopback one"
    end
  end

  describe "a download" do
    test "goes to the host that the URL names, whatever address that has" do
      server = start_supervised!(Server)

      for host <- ["127.0.0.1", "localhost", "db.internal"] do
        assert {:ok, "xxx"} = Download.fetch(%{url: Server.url(server, "/bytes/3", host)})
      end
    end

    test "is not sent into the private network by a server elsewhere" do
      for location <- ["http://169.254.169.254/", "http://127.0.0.1/", "http://[::1]/"] do
        pages = %{
          "http://example.com/" => %Response{status: 302, headers: [{"location", location}]}
        }

        options = [http: {Echo, pages: pages, tell: self()}]
        error = error!(Download.fetch(%{url: "http://example.com/"}, options))
        assert error.message =~ "to which http://example.com/ redirects, is not allowed: "
        refute error.message =~ "allowed_hosts"
      end

      server = start_supervised!(Server)
      to = Server.url(server, "/bytes/3", "loopback.test")
      url = Server.url(server, "/redirect/302?#{to}", "db.internal")
      error = error!(Download.fetch(%{url: url}))
      assert error.message =~ "loopback.test has the address 127.0.0.1, a loopback one"
    end
  end

  describe "a download that a manifest with a ceiling asks for" do
    test "goes to no private address, unless the ceiling lists it" do
      server = start_supervised!(Server)
      manifest = &%{wasm: [%{url: Server.url(server, "/bytes/3", &1)}]}

      for host <- ["127.0.0.1", "localhost", "loopback.test"] do
        error = error!(Vitrine.new(manifest.(host), ceiling: [sources: [:url]]))
        assert error.reason == :manifest
        assert error.message =~ "is not allowed: "
        assert error.message =~ "a loopback "
      end

      assert Server.connections(server) == 0
      ceiling = [sources: [{:url, ["127.0.0.1", {:private, "*.test"}]}]]

      for host <- ["127.0.0.1", "loopback.test"],
          do: assert(error!(Vitrine.new(manifest.(host), ceiling: ceiling)).reason == :compile)
    end
  end

  describe "resolve/2" do
    test "gives the addresses that a client may connect to" do
      assert {:error, {:not_allowed, _}} = Vitrine.HTTP.resolve("http://db.internal/")
      assert Vitrine.HTTP.resolve("http://db.internal/", private: true) == {:ok, [{127, 0, 0, 1}]}
      assert {:ok, [_, _]} = Vitrine.HTTP.resolve("http://mixed.test/", private: true)
      assert Vitrine.HTTP.resolve("http://no.such.name.invalid/") == {:error, :nxdomain}
      assert {:error, "it is not a URL" <> _} = Vitrine.HTTP.resolve("db.internal")
    end

    test "has errors that a client may give back" do
      defmodule Refusing do
        @behaviour Vitrine.HTTP
        @impl true
        def request(request, options), do: Vitrine.HTTP.resolve(request.url, options)
      end

      plugin = plugin!(allowed_hosts: ["*.internal"], http: Refusing)

      assert error!(get(plugin, "http://db.internal/x")).message ==
               "HTTP request to http://db.internal/x is not allowed: db.internal has the address 127.0.0.1, " <>
                 ~s(a loopback one; allowed_hosts: [{:private, "db.internal"}] would allow it)
    end

    test "is used by the built-in client, also if the client is called directly" do
      request = %Vitrine.HTTP.Request{method: "GET", url: "http://db.internal/"}
      assert {:error, {:not_allowed, _}} = Client.request(request, [])
    end
  end
end
