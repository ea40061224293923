defmodule Vitrine.HTTP.Client.Connection do
  @moduledoc false
  # A socket of the calling process, plain or TLS, with a deadline. It is passive: nothing comes as
  # a message, and it closes when the process ends.

  alias __MODULE__
  alias Vitrine.HTTP.{Resolver, TLSFailure, URL}
  alias Vitrine.Time.Deadline

  @enforce_keys [:transport, :socket, :tcp, :deadline, :cancelled?]
  defstruct @enforce_keys ++ [buffer: ""]

  @typedoc "`tcp` is the socket below TLS, or the same; `buffer` has been received, but not used."
  @type t :: %Connection{
          transport: :gen_tcp | :ssl,
          socket: :gen_tcp.socket() | :ssl.sslsocket(),
          tcp: :gen_tcp.socket(),
          deadline: Deadline.t(),
          cancelled?: (() -> boolean()),
          buffer: binary()
        }

  # How often to look whether the request is still wanted, in milliseconds.
  @glance 50

  # What one packet may take.
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

  # To the addresses themselves: the name may have others by now.
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
      # What a server does not take must not keep open a socket that nobody wants any more.
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
        # What fails is answered; there is no need to log it as well.
        log_level: :none
      ]

      options =
        authorities |> Keyword.merge(server_name(URL.address(url))) |> Keyword.merge(options)

      {:ok, Keyword.merge(defaults, options)}
    end
  end

  # Without a name the certificate must be for the address that was connected to.
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

  @doc "Sends all of it."
  @spec send(t(), iodata()) :: :ok | {:error, term()}
  def send(connection, data) do
    with :ok <- :inet.setopts(connection.tcp, send_timeout: Deadline.left(connection.deadline)),
         do: connection.transport.send(connection.socket, data)
  end

  @doc "Puts more of what the server says into the buffer."
  @spec read(t()) :: {:ok, t()} | {:error, term()}
  def read(connection) do
    case {Deadline.left(connection.deadline), connection.cancelled?.()} do
      {0, _} -> {:error, :timeout}
      {_, true} -> {:error, :cancelled}
      {left, false} -> read(connection, min(left, @glance))
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

  @doc "Ends a connection that has done its work, at once."
  @spec close(t()) :: :ok
  def close(%{transport: transport, socket: socket, tcp: tcp} = connection) do
    # What is still to be sent would be waited for.
    with {:ok, [send_pend: 0]} <- :inet.getstat(tcp, [:send_pend]),
         :ok <- :inet.setopts(tcp, linger: {false, 0}) do
      _ = transport.close(socket)
      :ok
    else
      _ -> abort(connection)
    end
  end

  @doc "Cuts a connection off. To say goodbye may take seconds where nobody listens."
  @spec abort(t()) :: :ok
  def abort(%{transport: transport, socket: socket, tcp: tcp}) do
    _ = :gen_tcp.close(tcp)
    if transport == :ssl, do: :ssl.close(socket)
    :ok
  end
end
