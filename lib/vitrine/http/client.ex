defmodule Vitrine.HTTP.Client do
  alias Vitrine.Options.{Docs, Validation}
  alias Vitrine.Options.Tables.HTTPClient

  @moduledoc """
  The built-in HTTP client: HTTP/1.1 over OTP's sockets, in the calling process.

  It is made for servers that are not trusted. A response uses memory in proportion to its limit, and ends with the
  deadline, however the server misbehaves. The client uses no process and no messages, so a caller that is killed
  leaves nothing open. Each request has its own connection. For pools, HTTP/2 or proxies, plug in another client, see
  `Vitrine.HTTP`.

  HTTPS verifies the server's certificate and name, with the certificates of the system. Responses that are compressed
  with gzip are decoded, unless the request has its own `accept-encoding`.

  The client connects only to addresses that `Vitrine.HTTP.resolve/2` would return. It connects to private addresses
  only with `private: true` in the options of `request/2`, which Vitrine sets for hosts that are listed as private.

  ## Options

      Vitrine.new("plugin.wasm",
        allowed_hosts: ["internal.example"],
        http: {Vitrine.HTTP.Client, ssl: [cacertfile: "/etc/ssl/internal.pem"]}
      )

  #{Docs.markdown(HTTPClient.schema())}
  """

  @behaviour Vitrine.HTTP

  alias Vitrine.HTTP.Client.{Body, Connection, Head}
  alias Vitrine.HTTP.{Headers, Redirect, Request, Response, URL}

  @impl true
  def init(options) do
    options = Validation.validate!(options, HTTPClient.schema())
    Enum.each(options.ssl, &pem_file!/1)
    Map.to_list(options)
  end

  # All that can be checked of these files now is that they contain the right kind of entry.
  @pem [cacertfile: "CERTIFICATE", certfile: "CERTIFICATE", keyfile: "PRIVATE KEY"]

  for {option, holds} <- @pem do
    defp pem_file!({unquote(option), path}) do
      case File.read(path) do
        {:ok, bytes} ->
          unless bytes =~ "#{unquote(holds)}-----",
            do: wrong_file!(unquote(option), path, "has no #{unquote(holds)} in PEM in it")

        {:error, reason} ->
          wrong_file!(unquote(option), path, "cannot be read: #{:file.format_error(reason)}")
      end
    end
  end

  defp pem_file!(_other), do: :ok

  defp wrong_file!(option, path, why) do
    path = if is_list(path), do: List.to_string(path), else: path
    raise ArgumentError, "the file #{inspect(path)} #{why} (ssl: [#{option}: #{inspect(path)}])"
  end

  @impl true
  def request(%Request{} = request, options) do
    options = Map.merge(HTTPClient.schema().defaults, Map.new(options))

    with {:ok, url} <- URL.parse(request.url),
         {:ok, connection} <- Connection.open(url, options) do
      try do
        with {:ok, response} <- exchange(connection, request, url, options) do
          Connection.close(connection)
          {:ok, response}
        end
      after
        # Does nothing if the connection is closed.
        Connection.abort(connection)
      end
    end
  end

  defp exchange(connection, request, url, options) do
    with :ok <- Connection.send(connection, [head(request, url), request.body || ""]),
         {:ok, status, headers, connection} <- Head.read(connection, options.max_header_bytes),
         {:ok, headers, body} <- body(connection, request, status, headers, options) do
      {:ok, %Response{status: status, headers: headers, body: body}}
    end
  end

  # The body of a redirect is not used.
  defp body(connection, request, status, headers, options) do
    if Redirect.redirect?(status, headers) do
      {:ok, headers, ""}
    else
      decode? = Headers.get(request.headers, "accept-encoding") == nil
      Body.read(connection, {request.method, status, headers}, options, decode?)
    end
  end

  defp head(request, url) do
    own = [
      {"host", URL.authority(url)},
      {"connection", "close"},
      {"user-agent", "vitrine"},
      {"accept", "*/*"},
      {"accept-encoding", "gzip"}
      | content_length(request)
    ]

    own = Enum.reject(own, fn {name, _} -> Headers.get(request.headers, name) end)

    [
      [request.method, " ", url.target, " HTTP/1.1\r\n"],
      for({name, value} <- own ++ request.headers, do: [name, ": ", value, "\r\n"]),
      "\r\n"
    ]
  end

  # A method that usually has a body must say that it has none.
  defp content_length(%{body: nil, method: method}) when method not in ["POST", "PUT", "PATCH"],
    do: []

  defp content_length(%{body: body}),
    do: [{"content-length", to_string(byte_size(body || ""))}]
end
