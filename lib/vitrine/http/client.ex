defmodule Vitrine.HTTP.Client do
  @moduledoc """
  Vitrine's own HTTP client: HTTP/1.1 over OTP's sockets, in the process that calls.

  It is made for servers that nobody vouches for. A response costs memory in proportion to what is
  allowed of it, and ends with the deadline, however the server misbehaves; and since there is no
  process and no message behind it, a caller that is killed leaves nothing open. Each request has
  a connection of its own: for pools, HTTP/2 or proxies plug in another client, see `Vitrine.HTTP`.

  HTTPS verifies the server's certificate and name, with the certificates of the system.
  Responses that are compressed with gzip are decoded, unless the request has an `accept-encoding`
  of its own.

  It connects to addresses that `Vitrine.HTTP.resolve/2` would give and to no others: private ones and their
  like only with `private: true` in what `request/2` is given, as Vitrine gives it for hosts that are listed
  as such.

  ## Options

      Vitrine.new("plugin.wasm",
        allowed_hosts: ["internal.example"],
        http: {Vitrine.HTTP.Client, ssl: [cacertfile: "/etc/ssl/internal.pem"]}
      )

    * `:ssl` - options of `:ssl.connect/3`, which replace those that are there by default:
      `:cacerts` or `:cacertfile`, `:certfile` and `:keyfile`, `:versions`, … Files are looked at when the
      plugin is made, and one that cannot be used raises `ArgumentError`
    * `:connect_timeout` - what connecting may take, with the TLS handshake, in milliseconds, or
      `:infinity`; within the timeout of the call in any case. 5000 by default
    * `:max_header_bytes` - how long the status line and the headers may be, together with those of
      interim responses. 65536 by default
  """

  @behaviour Vitrine.HTTP

  alias Vitrine.HTTP.Client.{Body, Connection, Head}
  alias Vitrine.HTTP.{Headers, Redirect, Request, Response, URL}
  alias Vitrine.Keys

  @defaults [ssl: [], connect_timeout: 5_000, max_header_bytes: 65_536]

  @impl true
  def init(options) do
    options = Keys.validate!(options, @defaults)
    positive!(options, :max_header_bytes)
    unless options[:connect_timeout] == :infinity, do: positive!(options, :connect_timeout)

    unless Keyword.keyword?(options[:ssl]) do
      raise ArgumentError, "expected :ssl to be a keyword list, got: #{inspect(options[:ssl])}"
    end

    Enum.each(options[:ssl], &pem_file!/1)
    options
  end

  # What can be seen of these files now: that they hold what they are for.
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

  defp positive!(options, key) do
    unless is_integer(options[key]) and options[key] > 0 do
      raise ArgumentError,
            "expected #{inspect(key)} to be a positive integer, got: #{inspect(options[key])}"
    end
  end

  @impl true
  def request(%Request{} = request, options) do
    options = Map.new(Keyword.merge(@defaults, options))

    with {:ok, url} <- URL.parse(request.url),
         {:ok, connection} <- Connection.open(url, options) do
      try do
        with {:ok, response} <- exchange(connection, request, url, options) do
          Connection.close(connection)
          {:ok, response}
        end
      after
        # Nothing if it is closed.
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

  # Nobody looks at what else a redirect says.
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

  # A method that is made for a body says that it has none.
  defp content_length(%{body: nil, method: method}) when method not in ["POST", "PUT", "PATCH"],
    do: []

  defp content_length(%{body: body}),
    do: [{"content-length", to_string(byte_size(body || ""))}]
end
