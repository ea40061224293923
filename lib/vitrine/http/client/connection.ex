defmodule Vitrine.HTTP.Client.Connection do
  @moduledoc false
  # A socket of the calling process, plain or TLS, with a deadline. The socket is passive: it sends no messages, and
  # closes when the process ends.

  alias __MODULE__
  alias Vitrine.HTTP.{Resolver, TLSFailure, URL}
  alias Vitrine.Time.Deadline

  @enforce_keys [:transport, :socket, :tcp, :deadline, :cancelled?]
  defstruct @enforce_keys ++ [buffer: ""]

  @typedoc "A connection. `tcp` is the socket below TLS, or the same socket. `buffer` was received, but not used yet."
  @type t :: %Connection{
          transport: :gen_tcp | :ssl,
          socket: :gen_tcp.socket() | :ssl.sslsocket(),
          tcp: :gen_tcp.socket(),
          deadline: Deadline.t(),
          cancelled?: (() -> boolean()),
          buffer: binary()
        }

  # How often to check whether the request was cancelled, in milliseconds.
  @poll_interval 50

  # The size of one packet.
  @packet 65_536

  @doc "Connects to the server of a URL."
  @spec open(URL.t(), map()) :: {:ok, t()} | {:error, term()}
  def open(url, options) do
    deadline = Deadline.at(options[:timeout] || :infinity)
    connected = Deadline.earlier(deadline, Deadline.at(options.connect_timeout))

    with {:ok, tls} <- tls(url, options.ssl),
         {:ok, addresses} <- Resolver.addresses(url, options[:private] == true, connected),
         {:ok, tcp} <- connect(addresses, url.port, connected) do
      connection = %Connection{
        transport: :gen_tcp,
        socket: tcp,
        tcp: tcp,
        deadline: deadline,
        cancelled?: options[:cancelled?] || fn -> false end
      }

      secure(connection, tls, connected)
    end
  end

  # It connects to the addresses themselves, because the name may have other addresses by now.
  defp connect([address | others], port, deadline) do
    case connect_to(address, port, deadline) do
      {:error, reason} when others != [] and reason != :timeout -> connect(others, port, deadline)
      result -> result
    end
  end

  defp connect_to(address, port, deadline) do
    family = if tuple_size(address) == 4, do: :inet, else: :inet6

    options = [
      family,
      :binary,
      active: false,
      nodelay: true,
      buffer: @packet,
      # Data that a server does not accept must not keep a socket open that is no longer needed.
      linger: {true, 0},
      send_timeout: Deadline.left(deadline),
      send_timeout_close: true
    ]

    :gen_tcp.connect(address, port, options, Deadline.left(deadline))
  end

  defp secure(connection, nil, _deadline), do: {:ok, connection}

  defp secure(connection, options, deadline) do
    case :ssl.connect(connection.tcp, options, Deadline.left(deadline)) do
      {:ok, socket} ->
        {:ok, %{connection | transport: :ssl, socket: socket}}

      {:error, reason} ->
        abort(connection)
        {:error, reason}
    end
  end

  defp tls(%{scheme: "http"}, _options), do: {:ok, nil}

  defp tls(url, options) do
    with {:ok, authorities} <- authorities(options) do
      defaults = [
        verify: :verify_peer,
        verify_fun: {&TLSFailure.verify/3, nil},
        customize_hostname_check: [match_fun: :public_key.pkix_verify_hostname_match_fun(:https)],
        # Failures are returned, so they need not be logged as well.
        log_level: :none
      ]

      options =
        authorities |> Keyword.merge(server_name(URL.address(url))) |> Keyword.merge(options)

      {:ok, Keyword.merge(defaults, options)}
    end
  end

  # Without a name, the certificate must be for the address of the connection.
  defp server_name(address) when is_tuple(address), do: []
  defp server_name(name), do: [server_name_indication: name]

  defp authorities(options) do
    if Enum.any?([:cacerts, :cacertfile], &Keyword.has_key?(options, &1)) or
         options[:verify] == :verify_none,
       do: {:ok, []},
       else: {:ok, [cacerts: :public_key.cacerts_get()]}
  rescue
    ErlangError ->
      {:error, "the system has no certificates of authorities: give ssl: [cacertfile: path]"}
  end

  @doc "Sends all of the data."
  @spec send(t(), iodata()) :: :ok | {:error, term()}
  def send(connection, data) do
    with :ok <- :inet.setopts(connection.tcp, send_timeout: Deadline.left(connection.deadline)),
         do: connection.transport.send(connection.socket, data)
  end

  @doc "Reads more data of the server into the buffer."
  @spec read(t()) :: {:ok, t()} | {:error, term()}
  def read(connection) do
    case {Deadline.left(connection.deadline), connection.cancelled?.()} do
      {0, _} -> {:error, :timeout}
      {_, true} -> {:error, :cancelled}
      {left, false} -> read(connection, min(left, @poll_interval))
    end
  end

  defp read(%{transport: transport, buffer: buffer} = connection, wait) do
    case transport.recv(connection.socket, 0, wait) do
      {:ok, data} when buffer == "" -> {:ok, %{connection | buffer: data}}
      {:ok, data} -> {:ok, %{connection | buffer: buffer <> data}}
      {:error, :timeout} -> read(connection)
      {:error, reason} -> {:error, reason}
    end
  end

  @doc "Closes a connection that is no longer needed, at once."
  @spec close(t()) :: :ok
  def close(%{transport: transport, socket: socket, tcp: tcp} = connection) do
    # Closing would wait for data that is still to be sent.
    with {:ok, [send_pend: 0]} <- :inet.getstat(tcp, [:send_pend]),
         :ok <- :inet.setopts(tcp, linger: {false, 0}) do
      _ = transport.close(socket)
      :ok
    else
      _ -> abort(connection)
    end
  end

  @doc "Aborts a connection. An orderly close may take seconds if the server does not answer."
  @spec abort(t()) :: :ok
  def abort(%{transport: transport, socket: socket, tcp: tcp}) do
    _ = :gen_tcp.close(tcp)
    if transport == :ssl, do: :ssl.close(socket)
    :ok
  end
end
