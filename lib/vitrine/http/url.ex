defmodule Vitrine.HTTP.URL do
  @moduledoc false
  # URLs of requests, parsed so that the host that is checked is the host that is connected to. The host is a name or
  # an address, and nothing in which another parser could see another host. The URL for a client is written anew from
  # the parts.

  alias __MODULE__

  @enforce_keys [:scheme, :host, :port, :target]
  defstruct [:scheme, :host, :port, :target, :userinfo]

  @typedoc "A parsed URL. `host` is in the form of URLs, with IPv6 in brackets. `target` is the path with the query."
  @type t :: %URL{
          scheme: String.t(),
          host: String.t(),
          port: :inet.port_number(),
          target: String.t(),
          userinfo: String.t() | nil
        }

  @max_bytes 16_384
  @max_name 255
  defguardp is_hex(digit) when digit in ?0..?9 or digit in ?a..?f or digit in ?A..?F

  @ports %{"http" => 80, "https" => 443}

  @doc "Parses an absolute URL. The error says why it cannot be requested."
  @spec parse(String.t()) :: {:ok, t()} | {:error, String.t()}
  def parse(text) when byte_size(text) > @max_bytes, do: too_long(text)

  def parse(text) do
    with :ok <- printable(text),
         [scheme, rest] <- :binary.split(text, "://"),
         true <- scheme =~ ~r/\A[a-zA-Z][a-zA-Z0-9+.-]*\z/,
         {:ok, scheme} <- scheme(scheme),
         {authority, target} = cut(rest, ["/", "?", "#"]),
         {userinfo, host_and_port} = userinfo(authority),
         {:ok, host, port} <- host_and_port(host_and_port),
         {:ok, host} <- host(String.downcase(host, :ascii)),
         {:ok, port} <- port(port, scheme) do
      {target, _fragment} = cut(target, "#")
      {path, query} = cut(target, "?")
      target = encode(without_dots(path) <> query)
      {:ok, %URL{scheme: scheme, host: host, port: port, target: target, userinfo: userinfo}}
    else
      {:error, message} -> {:error, message}
      _no_url -> {:error, "it is not a URL such as https://example.com/path"}
    end
  end

  defp too_long(text),
    do: {:error, "the URL has #{byte_size(text)} bytes; the limit is #{@max_bytes} bytes"}

  @doc "Returns the URL that `location`, absolute or relative, means from this URL."
  @spec merge(t(), String.t()) :: {:ok, t()} | {:error, String.t()}
  def merge(_url, location) when byte_size(location) > @max_bytes, do: too_long(location)

  def merge(%URL{} = url, location) do
    {path, _query} = cut(url.target, "?")

    cond do
      location =~ ~r/\A[a-zA-Z][a-zA-Z0-9+.-]*:/ -> parse(location)
      String.starts_with?(location, "//") -> parse(url.scheme <> ":" <> location)
      String.starts_with?(location, "/") -> beside(url, location)
      String.starts_with?(location, "?") -> beside(url, path <> location)
      location == "" or String.starts_with?(location, "#") -> {:ok, url}
      true -> beside(url, directory(path) <> location)
    end
  end

  # Up to the last slash, of which there is one.
  defp directory(path) do
    {at, 1} = path |> :binary.matches("/") |> List.last()
    binary_part(path, 0, at + 1)
  end

  defp beside(url, target), do: parse("#{url.scheme}://#{authority(url)}#{target}")

  @doc "Tells whether two URLs belong to one server, so that headers for one may be sent to the other."
  @spec same_origin?(t(), t()) :: boolean()
  def same_origin?(a, b), do: {a.scheme, a.host, a.port} == {b.scheme, b.host, b.port}

  @doc "Returns the host with its port, unless the port is the scheme's default."
  @spec authority(t()) :: String.t()
  def authority(%URL{scheme: scheme, host: host, port: port}) do
    if @ports[scheme] == port, do: host, else: "#{host}:#{port}"
  end

  @doc "Returns the host in the form for sockets: an address, or a name."
  @spec address(t()) :: :inet.ip_address() | charlist()
  def address(%URL{host: host}) do
    name = host |> String.trim_leading("[") |> String.trim_trailing("]") |> String.to_charlist()

    case :inet.parse_address(name) do
      {:ok, address} -> address
      {:error, _} -> name
    end
  end

  @doc "Resolves the escapes in a part of a URL. Other characters stay as they are."
  @spec decode(String.t()) :: binary()
  def decode(text), do: decode(text, [])

  defp decode(<<?%, high, low, rest::binary>>, done) when is_hex(high) and is_hex(low),
    do: decode(rest, [<<hex(high)::4, hex(low)::4>> | done])

  defp decode(<<byte, rest::binary>>, done), do: decode(rest, [byte | done])
  defp decode("", done), do: done |> Enum.reverse() |> IO.iodata_to_binary()

  defp hex(digit) when digit in ?0..?9, do: digit - ?0
  defp hex(digit), do: Bitwise.bor(digit, 0x20) - ?a + 10

  # A text up to the first of these, and the rest from there.
  defp cut(text, separators) do
    case :binary.match(text, separators) do
      {at, _length} -> {binary_part(text, 0, at), binary_part(text, at, byte_size(text) - at)}
      :nomatch -> {text, ""}
    end
  end

  # The part before the last @ is not part of the host.
  defp userinfo(authority) do
    case authority |> :binary.matches("@") |> List.last() do
      nil -> {nil, authority}
      {0, 1} -> {nil, binary_part(authority, 1, byte_size(authority) - 1)}
      {at, 1} -> {binary_part(authority, 0, at), after_byte(authority, at)}
    end
  end

  defp after_byte(text, at), do: binary_part(text, at + 1, byte_size(text) - at - 1)

  defp host_and_port("[" <> _ = text) do
    with [address, port] <- :binary.split(text, "]"),
         true <- address =~ ~r/\A\[[0-9a-fA-F:.]+\z/,
         do: with_port(address <> "]", port)
  end

  defp host_and_port(text) do
    {name, port} = cut(text, ":")

    byte_size(name) <= @max_name and name =~ ~r/\A[a-zA-Z0-9._-]+\z/ and with_port(name, port)
  end

  defp with_port(host, ""), do: {:ok, host, ""}
  defp with_port(host, ":" <> digits), do: digits =~ ~r/\A[0-9]{0,5}\z/ and {:ok, host, digits}
  defp with_port(_host, _other), do: false

  defp printable(text) do
    if text =~ ~r/[\x00-\x1f\x7f]/,
      do: {:error, "the URL has control characters"},
      else: :ok
  end

  defp scheme(scheme) do
    scheme = String.downcase(scheme, :ascii)

    if is_map_key(@ports, scheme),
      do: {:ok, scheme},
      else: {:error, "only http and https can be requested, not #{scheme}"}
  end

  # Addresses have many spellings: 127.1 and 0x7f000001 are 127.0.0.1.
  defp host("[" <> _ = host) do
    with :error <- ipv6_host(host), do: {:error, "#{host} is not an IPv6 address"}
  end

  defp host(host) do
    # A name with the dot of the root is the same name.
    host = if host == ".", do: host, else: String.replace_suffix(host, ".", "")

    case :inet.parse_ipv4_address(String.to_charlist(host)) do
      {:ok, address} -> {:ok, to_string(:inet.ntoa(address))}
      {:error, _} -> {:ok, host}
    end
  end

  @doc "Returns an IPv6 address in brackets, in the form of `t:t/0`."
  @spec ipv6_host(String.t()) :: {:ok, String.t()} | :error
  def ipv6_host(host) when byte_size(host) <= @max_name do
    with "[" <> rest <- host,
         [text, ""] <- :binary.split(rest, "]"),
         false <- String.contains?(text, "%"),
         {:ok, address} <- :inet.parse_ipv6strict_address(String.to_charlist(text)) do
      {:ok, "[#{:inet.ntoa(address)}]"}
    else
      _other -> :error
    end
  end

  def ipv6_host(_host), do: :error

  defp port("", scheme), do: {:ok, @ports[scheme]}

  defp port(digits, _scheme) do
    case String.to_integer(digits) do
      port when port in 1..65_535 -> {:ok, port}
      port -> {:error, "#{port} is not a port; ports are 1 to 65535"}
    end
  end

  defp without_dots(path) do
    segments = path |> String.split("/") |> Enum.drop(1)
    "/" <> (segments |> resolve([]) |> Enum.join("/"))
  end

  defp resolve([], done), do: Enum.reverse(done)
  defp resolve(["."], done), do: resolve([""], done)
  defp resolve([".."], done), do: resolve([""], Enum.drop(done, 1))
  defp resolve(["." | rest], done), do: resolve(rest, done)
  defp resolve([".." | rest], done), do: resolve(rest, Enum.drop(done, 1))
  defp resolve([segment | rest], done), do: resolve(rest, [segment | done])

  # Leaves what is encoded as it is, and encodes what may not stand in a path or query.
  defp encode(target), do: encode(target, [])

  defp encode(<<?%, high, low, rest::binary>>, done) when is_hex(high) and is_hex(low),
    do: encode(rest, [<<?%, high, low>> | done])

  defp encode(<<byte, rest::binary>>, done) do
    if URI.char_unreserved?(byte) or byte in ~c"!$&'()*+,;=:@/?",
      do: encode(rest, [byte | done]),
      else: encode(rest, [[?%, Base.encode16(<<byte>>)] | done])
  end

  defp encode("", done), do: done |> Enum.reverse() |> IO.iodata_to_binary()

  defimpl String.Chars do
    def to_string(url), do: "#{url.scheme}://#{URL.authority(url)}#{url.target}"
  end
end
