defmodule Vitrine.HTTP.ClientTest do
  # Vitrine's own client, against servers that misbehave. Not async: it counts sockets, processes and
  # memory.
  use ExUnit.Case, async: false

  @moduletag :slow

  import Vitrine.Guests
  import Vitrine.HTTPGuest

  alias Vitrine.Certificates
  alias Vitrine.HTTP.{Client, Exchange, Policy, Request}
  alias Vitrine.MisbehavingServer, as: Server

  @cap 1_000_000
  # For what is to end with its deadline, and for what is to end before, however loaded the machine is.
  @short [timeout: 400]
  @timeout 30_000
  # The memory that a request may take besides its body: the client's buffers, and the server's.
  @memory 16_000_000

  setup_all do
    {options, authorities} = Certificates.make(["localhost", "*.local.test"])

    # The first use of TLS, and of a name, loads code and starts what stays.
    warm = start_supervised!({Server, ssl: options}, id: :warm)
    assert {:error, _, _} = fetch(Server.url(warm, "/status/200", "localhost"))

    {:ok, tls: options, authorities: authorities}
  end

  setup do
    {:ok, server: start_supervised!(Server, id: :plain)}
  end

  defp fetch(url, options \\ []) do
    policy = %Policy{
      client: {Client, options[:client] || []},
      hosts: :all,
      max_response_bytes: options[:max] || @cap
    }

    wish = {options[:method] || "GET", url, [], options[:body]}
    Exchange.run(policy, wish, options[:timeout] || @timeout)
  end

  # Fetches a page, and makes sure that this takes little memory and leaves nothing. That it ends in time is seen from
  # the result: no server here ends a request by itself before the deadline, unless a test says so.
  defp bounded(server, path, options \\ []) do
    url = Server.url(server, path, options[:host] || "127.0.0.1")
    before = resources()
    {result, bytes} = measure(fn -> fetch(url, options) end)
    assert bytes < @memory, "#{path} took #{bytes} bytes"
    assert_clean(server, before)
    with {:error, message, _} <- result, do: message
  end

  defp resources, do: {sockets(), length(Process.list())}

  defp sockets, do: Enum.count(Port.list(), &(Port.info(&1, :name) == {:name, ~c"tcp_inet"}))

  defp assert_clean(server, {sockets, processes}) do
    assert Process.info(self(), :messages) == {:messages, []}
    assert_unconnected(server)
    eventually(fn -> sockets() <= sockets end)
    eventually(fn -> length(Process.list()) <= processes end)
    # Nothing comes late, either.
    assert Process.info(self(), :messages) == {:messages, []}
  end

  # Servers that read nothing until then do not know that the client is gone.
  defp assert_unconnected(server),
    do: eventually(fn -> Server.listen(server) == :ok and Server.connections(server) == 0 end)

  defp unsent?(port),
    do: match?({:queue_size, bytes} when bytes > 0, Port.info(port, :queue_size))

  defp measure(function) do
    :erlang.garbage_collect()
    before = :erlang.memory(:total)
    sampler = Task.async(fn -> peak(0) end)
    result = function.()
    send(sampler.pid, :stop)
    {result, max(Task.await(sampler, 60_000) - before, 0)}
  end

  defp peak(highest) do
    receive do
      :stop -> highest
    after
      1 -> peak(max(highest, :erlang.memory(:total)))
    end
  end

  defp too_large(max \\ @cap),
    do:
      "HTTP response exceeds the configured maximum number of bytes: #{max} " <>
        "(memory: %{max_http_response_bytes: #{max}})"

  describe "a server that is slow" do
    test "ends at the deadline", %{server: server} do
      for path <- ~w(/silence /slow_headers /slow_body) do
        assert bounded(server, path, @short) == :timeout, path
      end
    end

    test "may pause anywhere in its response", %{server: server} do
      assert {:ok, {200, _, "abcdef"}} = bounded(server, "/paused")
    end

    test "that does not read ends at the deadline", %{server: server} do
      body = :binary.copy("x", 20_000_000)
      url = Server.url(server, "/deaf")
      before = resources()
      assert fetch(url, method: "POST", body: body, timeout: 500) == :timeout
      assert_clean(server, before)
    end

    test "may answer before it has read all", %{server: server} do
      url = Server.url(server, "/early")
      before = resources()

      # Sizes about that of the system's buffers: of some a little is still to be sent.
      for size <- [10, 1_000_000 | Enum.to_list(2_400_000..4_200_000//45_000)] do
        body = :binary.copy("x", size)

        # The server reads nothing before the client has ended.
        result = fetch(url, [method: "POST", body: body] ++ @short)
        assert_unconnected(server)

        assert match?({:ok, {200, _, "early"}}, result) or
                 (size > 1_000_000 and result == :timeout)
      end

      assert_clean(server, before)
    end
  end

  describe "a server that never ends" do
    test "its headers is disconnected", %{server: server} do
      for path <-
            ~w(/endless_status_line /endless_header /endless_headers /endless_hints /endless_trailer) do
        assert bounded(server, path) =~
                 "the headers of the response are too long",
               path
      end
    end

    test "its body is disconnected, whatever the status", %{server: server} do
      for path <- ~w(/endless_body/200 /endless_body/404 /endless_body/500) do
        assert bounded(server, path) == too_large(), path
      end

      # Of one byte each.
      assert bounded(server, "/endless_chunks", max: 100_000) ==
               too_large(100_000)

      assert bounded(server, "/endless_body/200", max: 0) == too_large(0)
      assert bounded(server, "/endless_chunk_line") =~ "not chunked as it must be"
    end

    test "a compressed body is stopped where it is too large when unpacked", %{server: server} do
      assert bounded(server, "/gzip_bomb") == too_large()
      assert bounded(server, "/gzip_void") == too_large()
    end

    test "the body of a redirect is not read", %{server: server} do
      assert {:ok, {200, _, "arrived"}} = bounded(server, "/endless_redirect?/hops/0")
    end
  end

  describe "an invalid response is an error: the server" do
    test "does not speak HTTP", %{server: server} do
      for path <-
            ~w(/garbage /http2 /http_of_the_future /switching /status_0 /status_huge /no_header) do
        assert bounded(server, path) =~ "failed: the answer is not an HTTP response", path
      end
    end

    test "sends invalid chunks", %{server: server} do
      for path <- ~w(/bad_chunk_size /bad_chunk_end /large_chunk_size) do
        assert bounded(server, path) =~ "failed: the response is not chunked as it must be", path
      end

      assert bounded(server, "/large_chunk") == too_large()
    end

    test "gives invalid lengths", %{server: server} do
      assert bounded(server, "/length_negative") =~ ~s(a length that is not a number: "-1")
      assert bounded(server, "/length_words") =~ ~s(a length that is not a number: "many")
      assert bounded(server, "/length_bytes") =~ ~s(a length that is not a number: <<255, 254>>)
      assert bounded(server, "/lengths_differ") =~ ~s(several lengths: ["1", "2"])
      assert bounded(server, "/unknown_coding") =~ ~s(unknown encoding: ["br", "chunked"])
      assert bounded(server, "/length_enormous") == too_large()
      assert {:ok, {200, _, "abc"}} = bounded(server, "/length_too_small")
    end

    test "closes the connection before the response is complete", %{server: server} do
      for path <- ~w(/nothing /cut_in_status /cut_in_headers) do
        assert bounded(server, path) =~ "failed: the server closed the connection", path
      end

      for path <- ~w(/length_too_large /cut_in_chunk /cut_after_chunk) do
        assert bounded(server, path) =~ "closed the connection in the middle of the body", path
      end
    end

    test "sends an invalid compressed body", %{server: server} do
      for path <- ~w(/bad_gzip /cut_gzip /gzip_and_more) do
        assert bounded(server, path) =~ "not compressed with gzip as it says", path
      end

      assert {:ok, {200, _, "one, two"}} = bounded(server, "/gzip")
    end
  end

  describe "a call that is in a request" do
    setup %{server: server} do
      {:ok, plugin: plugin!(timeout: 30_000), url: Server.url(server, "/silence")}
    end

    defp waiting(server) do
      eventually(fn -> Server.connections(server) == 1 end)
    end

    test "closes the connection when it is cancelled", %{server: server} = context do
      before = resources()

      call =
        Task.async(fn -> {get(context.plugin, context.url), Process.info(self(), :messages)} end)

      waiting(server)
      assert Vitrine.cancel(context.plugin) == :ok
      assert {result, {:messages, []}} = Task.await(call, 60_000)
      assert reason(result) == :cancelled
      assert_clean(server, before)
    end

    test "closes the connection when the plugin is closed", %{server: server} = context do
      before = resources()
      call = Task.async(fn -> get(context.plugin, context.url) end)
      waiting(server)
      Vitrine.close(context.plugin)
      assert reason(Task.await(call, 60_000)) == :cancelled
      assert_clean(server, before)
    end

    test "closes the connection when its process is killed", %{server: server} = context do
      before = resources()
      {pid, monitor} = spawn_monitor(fn -> get(context.plugin, context.url) end)
      waiting(server)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
      assert_clean(server, before)

      eventually(fn ->
        get(context.plugin, Server.url(server, "/status/200")) == {:ok, "the page of 200"}
      end)
    end

    test "keeps no connection to a server that does not read", %{server: server} = context do
      before = resources()
      url = Server.url(server, "/deaf")
      body = :binary.copy("x", 20_000_000)

      {pid, monitor} = spawn_monitor(fn -> fetch(url, method: "POST", body: body) end)

      waiting(server)
      # Its buffers are full.
      eventually(fn -> Enum.any?(Port.list(), &unsent?/1) end)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
      # Our side is gone before the server notices.
      eventually(fn -> sockets() <= elem(before, 0) + 1 end)
      assert_clean(server, before)
      assert is_struct(context.plugin)
    end

    test "leaves a server that answers others meanwhile", %{server: web} = context do
      options = [source: wat("http"), allowed_hosts: ["127.0.0.1"], timeout: 30_000]
      plugin = start_supervised!({Vitrine.Server, options})
      before = resources()
      {pid, monitor} = spawn_monitor(fn -> get(plugin, context.url) end)
      waiting(web)
      assert Vitrine.function_exists?(plugin, "get")
      next = Task.async(fn -> get(plugin, Server.url(web, "/status/200")) end)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
      assert Task.await(next, 60_000) == {:ok, "the page of 200"}
      eventually(fn -> Server.connections(web) == 0 end)

      call = Task.async(fn -> get(plugin, context.url) end)
      waiting(web)
      Vitrine.cancel(plugin)
      assert reason(Task.await(call, 60_000)) == :cancelled
      assert_clean(web, before)
    end
  end

  describe "a process that already has messages" do
    test "keeps them in its mailbox", %{server: server} do
      send(self(), {:tcp, :not, "a socket"})
      send(self(), {:vitrine_wake, 1})
      assert {:ok, {200, _, _}} = fetch(Server.url(server, "/status/200"))
      assert :timeout = fetch(Server.url(server, "/silence"), timeout: 50)
      messages = [{:tcp, :not, "a socket"}, {:vitrine_wake, 1}]
      assert Process.info(self(), :messages) == {:messages, messages}
    end

    test "may trap exits", %{server: server} do
      Process.flag(:trap_exit, true)

      for path <- ~w(/status/200 /silence /garbage),
          do: fetch(Server.url(server, path), timeout: 50)

      assert fetch("http://127.0.0.1:1/")
      assert Process.info(self(), :messages) == {:messages, []}
    end
  end

  describe "https" do
    setup %{tls: tls} do
      {:ok, secure: start_supervised!({Server, ssl: tls}, id: :tls)}
    end

    defp trusting(authorities, options \\ []),
      do: [client: [ssl: [cacerts: authorities] ++ options], host: "localhost"]

    test "needs a certificate of a trusted authority", context do
      %{secure: server, authorities: authorities} = context
      url = Server.url(server, "/status/200", "localhost")
      before = resources()
      assert {:error, message, details} = fetch(url)

      assert message =~
               "failed: TLS: the server's certificate is signed by an authority that is not trusted here; " <>
                 "the certificates of other authorities are given by ssl: [cacertfile: path]"

      assert {:tls_alert, {:unknown_ca, _}} = details[:exception]
      assert {:ok, {200, _, "the page of 200"}} = fetch(url, trusting(authorities))
      assert_clean(server, before)
    end

    test "takes the certificates of a file, and the options of a plugin", context do
      path = Path.join(System.tmp_dir!(), "vitrine-#{System.unique_integer([:positive])}.pem")
      on_exit(fn -> File.rm(path) end)
      entries = for der <- context.authorities, do: {:Certificate, der, :not_encrypted}
      File.write!(path, :public_key.pem_encode(entries))
      client = {Client, ssl: [cacertfile: path]}
      plugin = plugin!(http: client, allowed_hosts: ["localhost"])
      url = Server.url(context.secure, "/status/200", "localhost")
      assert get(plugin, url) == {:ok, "the page of 200"}
      strict = plugin!(allowed_hosts: ["localhost"])
      assert error!(get(strict, url)).message =~ "an authority that is not trusted here"
    end

    test "needs a certificate for the name that is asked for", context do
      %{secure: server, authorities: authorities} = context
      url = Server.url(server, "/status/200", "127.0.0.1")
      assert {:error, message, _} = fetch(url, trusting(authorities))
      assert message =~ "TLS: the server's certificate is for another host's name"
    end

    test "needs a certificate for the address, where that is asked for" do
      {options, authorities} = Certificates.make([{127, 0, 0, 1}])
      server = start_supervised!({Server, ssl: options}, id: :address)
      url = Server.url(server, "/status/200", "127.0.0.1")
      assert {:ok, {200, _, _}} = fetch(url, trusting(authorities))
    end

    test "says what is wrong with a certificate", %{authorities: authorities} do
      for {name, made, says} <- [
            {:expired, Certificates.make(["localhost"], validity: {{2020, 1, 1}, {2021, 1, 1}}),
             "has expired, or is not valid yet"},
            {:self, {Certificates.self_signed("localhost"), authorities},
             "is signed by itself and not by an authority; the certificates of other authorities"}
          ] do
        {options, authorities} = made
        server = start_supervised!({Server, ssl: options}, id: name)
        url = Server.url(server, "/status/200", "localhost")
        assert {:error, message, details} = fetch(url, trusting(authorities))
        assert message =~ "failed: TLS: the server's certificate " <> says
        assert {:tls_alert, _} = details[:exception]
      end
    end

    test "says that the server does not speak TLS" do
      {:ok, listener} = :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, active: false])
      {:ok, port} = :inet.port(listener)

      start_supervised!(
        {Task,
         fn ->
           {:ok, socket} = :gen_tcp.accept(listener)
           {:ok, _hello} = :gen_tcp.recv(socket, 0)
           :ok = :gen_tcp.send(socket, "HTTP/1.1 400 Bad Request\r\n\r\n")
           :gen_tcp.recv(socket, 0)
         end}
      )

      assert {:error, message, details} = fetch("https://localhost:#{port}/", host: "localhost")

      assert message =~
               "failed: TLS: the server does not speak TLS on this port; it may speak HTTP without it"

      assert {:tls_alert, _} = details[:exception]
    end

    test "says that no TLS version is shared", %{authorities: authorities, tls: tls} do
      server = start_supervised!({Server, ssl: tls ++ [versions: [:"tlsv1.2"]]}, id: :old)
      url = Server.url(server, "/status/200", "localhost")
      options = trusting(authorities, versions: [:"tlsv1.3"])
      assert {:error, message, _} = fetch(url, options)
      assert message =~ "failed: TLS: the server speaks no version of TLS that is allowed here"
    end

    test "has the same limits as http", %{secure: server, authorities: authorities} do
      options = trusting(authorities)

      for path <- ~w(/silence /slow_headers /slow_body),
          do: assert(bounded(server, path, @short ++ options) == :timeout, path)

      for path <- ~w(/endless_header /endless_headers),
          do:
            assert(
              bounded(server, path, options) =~
                "the headers of the response are too long"
            )

      for path <- ~w(/endless_body/200 /endless_body/404 /gzip_bomb),
          do: assert(bounded(server, path, options) == too_large())

      assert bounded(server, "/nothing", options) =~ "the server closed the connection"
      assert bounded(server, "/garbage", options) =~ "not an HTTP response"
      assert {:ok, {200, _, "abcdef"}} = bounded(server, "/paused", options)
      assert {:ok, {200, _, "abc0123456789"}} = bounded(server, "/chunks", options)
    end

    test "leaves nothing when its process is killed", context do
      %{secure: server, authorities: authorities} = context
      before = resources()
      url = Server.url(server, "/silence", "localhost")
      options = trusting(authorities)
      {pid, monitor} = spawn_monitor(fn -> fetch(url, options) end)
      waiting(server)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
      assert_clean(server, before)
    end

    test "ends with the deadline where the other side does not read or shake hands", context do
      %{secure: server, authorities: authorities, server: plain} = context
      before = resources()
      body = :binary.copy("x", 20_000_000)
      options = [method: "POST", body: body] ++ @short ++ trusting(authorities)
      url = Server.url(server, "/deaf", "localhost")
      assert fetch(url, options) == :timeout
      assert_clean(server, before)

      before = resources()
      url = String.replace(Server.url(plain, "/"), "http:", "https:")
      assert fetch(url, @short) == :timeout
      assert_clean(plain, before)
    end
  end

  describe "a file of certificates" do
    test "that cannot be used is found when the plugin is made" do
      missing = Path.join(System.tmp_dir!(), "vitrine-missing.pem")
      empty = Path.join(System.tmp_dir!(), "vitrine-#{System.unique_integer([:positive])}.pem")
      File.write!(empty, "no certificate\n")
      on_exit(fn -> File.rm(empty) end)

      for {option, path, says} <- [
            {:cacertfile, missing,
             ~r/"#{missing}" cannot be read: no such file .*ssl: \[cacertfile: /},
            {:cacertfile, String.to_charlist(missing), ~r/cannot be read: no such file/},
            {:certfile, System.tmp_dir!(), ~r/cannot be read: illegal operation on a directory/},
            {:cacertfile, empty, ~r/"#{empty}" has no CERTIFICATE in PEM in it/},
            {:keyfile, empty, ~r/has no PRIVATE KEY in PEM/}
          ] do
        assert_raise ArgumentError, says, fn ->
          plugin!(http: {Client, ssl: [{option, path}]})
        end
      end
    end
  end

  describe "request/2" do
    test "can be called directly", %{server: server} do
      request = %Request{method: "GET", url: Server.url(server, "/status/404")}
      assert {:ok, response} = Client.request(request, private: true)
      assert {response.status, response.body} == {404, "the page of 404"}
      assert {"content-length", "15"} in response.headers
      assert Client.request(%{request | url: "gopher://x"}, private: true) |> elem(0) == :error
    end

    test "allows as many headers as the option says", %{server: server} do
      request = %Request{method: "GET", url: Server.url(server, "/status/200")}

      assert {:error, "the headers" <> _} =
               Client.request(request, private: true, max_header_bytes: 30)

      assert {:ok, _} = Client.request(request, private: true, max_header_bytes: 100)
    end
  end
end
