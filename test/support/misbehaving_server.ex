defmodule Vitrine.MisbehavingServer do
  @moduledoc """
  An HTTP server on the loopback interface that does what it is asked to by the path: right things
  and, above all, wrong ones. It knows how many connections clients keep open.
  """

  use GenServer

  # More than any test waits for.
  @for_ever 30_000

  @doc "Starts a server; with the option `ssl`, options of `:ssl.listen/2`, one of HTTPS."
  def start_link(options \\ []), do: GenServer.start_link(__MODULE__, options)

  @doc "The URL of a path; `host` is another name for the loopback interface."
  def url(server, path, host \\ "127.0.0.1") do
    {scheme, port} = GenServer.call(server, :where)
    "#{scheme}://#{host}:#{port}#{path}"
  end

  @doc "How many connections are open."
  def connections(server), do: GenServer.call(server, :connections)

  @doc "Lets connections that do not read go on and read."
  def listen(server), do: GenServer.call(server, :listen)

  @impl true
  def init(options) do
    listen = [:binary, active: false, ip: {127, 0, 0, 1}, reuseaddr: true, backlog: 100]

    {scheme, transport, {:ok, listener}} =
      case options[:ssl] do
        nil -> {"http", :gen_tcp, :gen_tcp.listen(0, listen)}
        ssl -> {"https", :ssl, :ssl.listen(0, listen ++ [log_level: :none] ++ ssl)}
      end

    {:ok, {_, port}} =
      if scheme == "http", do: :inet.sockname(listener), else: :ssl.sockname(listener)

    server = self()
    for _ <- 1..60, do: spawn_link(fn -> accept(transport, listener, server) end)
    {:ok, %{where: {scheme, port}, connections: 0, deaf: []}}
  end

  @impl true
  def handle_call(:where, _from, state), do: {:reply, state.where, state}
  def handle_call(:connections, _from, state), do: {:reply, state.connections, state}

  def handle_call(:listen, _from, state) do
    for pid <- state.deaf, do: send(pid, :listen)
    {:reply, :ok, %{state | deaf: []}}
  end

  @impl true
  def handle_info({:deaf, pid}, state), do: {:noreply, Map.update!(state, :deaf, &[pid | &1])}
  def handle_info(change, state), do: {:noreply, Map.update!(state, :connections, &(&1 + change))}

  defp accept(transport, listener, server) do
    case accept(transport, listener) do
      {:ok, socket} ->
        send(server, 1)
        serve({transport, socket}, server)
        transport.close(socket)
        send(server, -1)

      {:error, _} ->
        :ok
    end

    accept(transport, listener, server)
  end

  defp accept(:gen_tcp, listener), do: :gen_tcp.accept(listener)

  defp accept(:ssl, listener) do
    with {:ok, socket} <- :ssl.transport_accept(listener), do: :ssl.handshake(socket, 5_000)
  end

  # A behaviour that returns leaves the connection open until the client closes it; `:close` closes
  # it, and so does a client that is gone.
  defp serve(socket, server) do
    with {:ok, head, rest} <- head(socket, "") do
      [line | headers] = String.split(head, "\r\n")
      [method, target, "HTTP/1.1"] = String.split(line, " ")
      [path | query] = String.split(target, "?", parts: 2)
      segments = String.split(path, "/", trim: true)

      request = %{
        method: method,
        target: target,
        query: Enum.join(query),
        headers: headers,
        rest: rest,
        server: server,
        socket: socket
      }

      if behave(segments, request) != :close, do: drain(socket)
    end
  catch
    :gone -> :ok
  end

  defp head(socket, read) do
    case :binary.split(read, "\r\n\r\n") do
      [head, rest] -> {:ok, head, rest}
      [_] -> with {:ok, more} <- recv(socket), do: head(socket, read <> more)
    end
  end

  defp drain(socket), do: with({:ok, _} <- recv(socket), do: drain(socket))

  defp recv({transport, socket}), do: transport.recv(socket, 0, @for_ever)

  defp put({transport, socket}, data) do
    if transport.send(socket, data) != :ok, do: throw(:gone)
    :ok
  end

  defp repeat(socket, data, pause \\ 0) do
    put(socket, data)
    Process.sleep(pause)
    repeat(socket, data, pause)
  end

  defp respond(socket, status, headers, body) do
    lines = for {name, value} <- headers, do: [name, ": ", value, "\r\n"]
    length = "content-length: #{IO.iodata_length(body)}\r\nconnection: close\r\n"
    put(socket, ["HTTP/1.1 #{status} Whatever\r\n", lines, length, "\r\n", body])
  end

  defp body(%{rest: rest, socket: socket} = request) do
    case Enum.find_value(request.headers, &content_length/1) do
      nil -> rest
      length when byte_size(rest) >= length -> rest
      _length -> with {:ok, more} <- recv(socket), do: body(%{request | rest: rest <> more})
    end
  end

  defp content_length("content-length: " <> length), do: String.to_integer(length)
  defp content_length(_header), do: nil

  ## Right answers

  # The request as it came, as text; and its target in a header.
  defp behave(["echo"], request) do
    body = body(request)
    head = Enum.join(["#{request.method} #{request.target}" | request.headers], "\n")
    answer = if request.method == "HEAD", do: "", else: head <> "\n\n" <> body
    headers = [{"X-Target", request.target}, {"content-type", "text/plain"}]
    respond(request.socket, 200, headers, answer)
  end

  defp behave(["status", status], request),
    do: respond(request.socket, status, [], "the page of #{status}")

  defp behave(["no_content"], %{socket: socket}),
    do: put(socket, "HTTP/1.1 204 Gone\r\nconnection: close\r\n\r\n")

  defp behave(["bytes", count], %{socket: socket}),
    do: respond(socket, 200, [], String.duplicate("x", String.to_integer(count)))

  defp behave(["chunks"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n")

    # Wherever the pieces are cut.
    for <<byte <- "3\r\nabc\r\n00a;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n">> do
      put(socket, <<byte>>)
      Process.sleep(1)
    end
  end

  defp behave(["until_closed"], %{socket: socket}) do
    put(socket, "HTTP/1.0 200 OK\n\nall there is")
    :close
  end

  defp behave(["gzip"], %{socket: socket}) do
    headers = [{"Content-Encoding", "GZIP"}]
    respond(socket, 200, headers, :zlib.gzip("one, ") <> :zlib.gzip("two"))
  end

  defp behave(["early_hints"], %{socket: socket}) do
    put(socket, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
    respond(socket, 200, [], "after the hints")
  end

  defp behave(["redirect", status], %{query: location, socket: socket}),
    do: respond(socket, status, [{"location", location}], "elsewhere")

  defp behave(["hops", "0"], %{socket: socket}), do: respond(socket, 200, [], "arrived")

  defp behave(["hops", count], %{socket: socket}) do
    location = "/hops/#{String.to_integer(count) - 1}"
    respond(socket, 302, [{"location", location}], "")
  end

  defp behave(["odd_headers"], %{socket: socket}) do
    put(socket, [
      "HTTP/1.1 200 OK\r\nX-Twice: one\r\nx-twice: two\r\nLatin: caf\xe9\r\nUtf: \xc3\xa9\r\n",
      "Content-Length: 2\r\ncontent-length: 2\r\nEmpty:\r\nFolded: a\r\n b\r\n\r\nok"
    ])
  end

  ## Slow answers

  defp behave(["silence"], _request), do: :ok

  defp behave(["slow_headers"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\nx: ")
    repeat(socket, "y", 10)
  end

  defp behave(["slow_redirect"], %{query: location, socket: socket}) do
    Process.sleep(100)
    respond(socket, 302, [{"location", "/slow_redirect?" <> location}], "")
  end

  defp behave(["late_module"], %{socket: socket}) do
    Process.sleep(300)
    respond(socket, 200, [], "(module)")
  end

  defp behave(["slow_body"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    repeat(socket, "y", 10)
  end

  # Sends its body in pieces between which the client looks up.
  defp behave(["paused"], %{socket: socket}) do
    for piece <- ["HTTP/1.1 200 OK\r\nconte", "nt-length: 6\r", "\n\r\nabc", "def"] do
      put(socket, piece)
      Process.sleep(120)
    end
  end

  # Answers without reading what was sent.
  defp behave(["early"], %{socket: socket, server: server}) do
    respond(socket, 200, [], "early")
    not_listening(server)
  end

  # Reads nothing until it is told to.
  defp behave(["deaf"], %{server: server}), do: not_listening(server)

  ## Answers that never end

  defp behave(["endless_status_line"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 ")
    repeat(socket, blank())
  end

  defp behave(["endless_header"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\nx: ")
    repeat(socket, blank())
  end

  defp behave(["endless_headers"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\n")
    repeat(socket, String.duplicate("a: b\r\n", 1_000))
  end

  defp behave(["endless_hints"], %{socket: socket}),
    do: repeat(socket, String.duplicate("HTTP/1.1 103 Early\r\n\r\n", 100))

  defp behave(["endless_body", status], %{socket: socket}) do
    put(socket, "HTTP/1.1 #{status} Whatever\r\n\r\n")
    repeat(socket, blank())
  end

  defp behave(["endless_redirect"], %{query: location, socket: socket}) do
    put(socket, "HTTP/1.1 302 Found\r\nlocation: #{location}\r\n\r\n")
    repeat(socket, blank())
  end

  defp behave(["endless_chunks"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    repeat(socket, String.duplicate("1\r\nx\r\n", 1_000))
  end

  defp behave(["endless_chunk_line"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;")
    repeat(socket, blank())
  end

  defp behave(["endless_trailer"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
    repeat(socket, String.duplicate("a: b\r\n", 1_000))
  end

  # A thousand times as large when it is unpacked, and endless.
  defp behave(["gzip_bomb"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n")
    repeat(socket, :zlib.gzip(:binary.copy(<<0>>, 10_000_000)))
  end

  # Compressed nothing, for ever.
  defp behave(["gzip_void"], %{socket: socket}) do
    put(socket, "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n")
    repeat(socket, String.duplicate(:zlib.gzip(""), 1_000))
  end

  ## Wrong answers

  @raw %{
    "garbage" => "SSH-2.0-OpenSSH_9.2p1\r\n",
    "http2" => <<0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 128, "\r\n">>,
    "http_of_the_future" => "HTTP/3.0 200 OK\r\n\r\n",
    "switching" => "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
    "status_0" => "HTTP/1.1 0 Zero\r\n\r\n",
    "status_huge" => "HTTP/1.1 99999999999999999999 OK\r\n\r\n",
    "no_header" => "HTTP/1.1 200 OK\r\nthis is none\r\n\r\n",
    "bad_chunk_size" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n",
    "bad_chunk_end" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n",
    "large_chunk_size" =>
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n#{String.duplicate("f", 100)}\r\n",
    "large_chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffff\r\nabc",
    "length_negative" => "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nabc",
    "length_words" => "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nabc",
    "length_bytes" => "HTTP/1.1 200 OK\r\ncontent-length: \xff\xfe\r\n\r\nabc",
    "lengths_differ" => "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nabc",
    "unknown_coding" => "HTTP/1.1 200 OK\r\ntransfer-encoding: br, chunked\r\n\r\nabc",
    "length_too_large" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
    "length_too_small" => "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef",
    "length_enormous" => "HTTP/1.1 200 OK\r\ncontent-length: 999999999999999\r\n\r\nabc",
    "cut_in_status" => "HTTP/1.1 20",
    "cut_in_headers" => "HTTP/1.1 200 OK\r\ncontent-",
    "cut_in_chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    "cut_after_chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
    "bad_gzip" => "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nthis is not compressed",
    "nothing" => ""
  }

  defp behave(["cut_gzip"], %{socket: socket}) do
    bytes = :zlib.gzip(:crypto.strong_rand_bytes(1_000))
    respond(socket, 200, [{"content-encoding", "gzip"}], binary_part(bytes, 0, 500))
  end

  defp behave(["gzip_and_more"], %{socket: socket}),
    do: respond(socket, 200, [{"content-encoding", "gzip"}], :zlib.gzip("fine") <> "and more")

  defp behave([name], %{socket: socket}) when is_map_key(@raw, name) do
    put(socket, @raw[name])
    :close
  end

  defp not_listening(server) do
    send(server, {:deaf, self()})
    receive do: (:listen -> :ok), after: (@for_ever -> :ok)
  end

  defp blank, do: String.duplicate("x", 65_536)
end
