defmodule Vitrine.EchoServer do
  @moduledoc """
  An HTTP server on the loopback interface that answers with what it was sent: one line with the
  method and the request's header `x-guest`, and then the request's body. The path is the status of
  the answer, whose header `x-host` is `vitrine`.
  """

  use GenServer

  @timeout 5_000

  @doc "Starts a server."
  def start_link(_options), do: GenServer.start_link(__MODULE__, nil)

  @doc "The URL that is answered with a status."
  def url(server, status), do: "http://127.0.0.1:#{GenServer.call(server, :port)}/#{status}"

  @impl true
  def init(nil) do
    options = [:binary, packet: :http_bin, active: false, ip: {127, 0, 0, 1}, backlog: 100]
    {:ok, listener} = :gen_tcp.listen(0, options)
    {:ok, port} = :inet.port(listener)
    spawn_link(fn -> accept(listener) end)
    {:ok, {listener, port}}
  end

  @impl true
  def handle_call(:port, _from, {_listener, port} = state), do: {:reply, port, state}

  # Until the server has ended, and its listener with it.
  defp accept(listener) do
    with {:ok, socket} <- :gen_tcp.accept(listener) do
      answer(socket)
      accept(listener)
    end
  end

  defp answer(socket) do
    {:ok, {:http_request, method, {:abs_path, "/" <> status}, _version}} = recv(socket)
    headers = headers(socket, %{})
    :ok = :inet.setopts(socket, packet: :raw)
    body = body(socket, String.to_integer(Map.get(headers, "content-length", "0")))
    answer = ["#{method} #{headers["x-guest"]}\n", body]

    :gen_tcp.send(socket, [
      "HTTP/1.1 #{status} Status\r\nX-Host: vitrine\r\nConnection: close\r\n",
      "Content-Length: #{IO.iodata_length(answer)}\r\n\r\n",
      answer
    ])

    :gen_tcp.close(socket)
  end

  defp headers(socket, headers) do
    case recv(socket) do
      {:ok, {:http_header, _, name, _, value}} ->
        headers(socket, Map.put(headers, String.downcase(to_string(name)), value))

      {:ok, :http_eoh} ->
        headers
    end
  end

  defp body(_socket, 0), do: ""

  defp body(socket, length) do
    {:ok, body} = :gen_tcp.recv(socket, length, @timeout)
    body
  end

  defp recv(socket), do: :gen_tcp.recv(socket, 0, @timeout)
end
