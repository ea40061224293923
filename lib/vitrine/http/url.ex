defmodule Vitrine.HTTP.URL do
  @moduledoc false
  # URLs of requests, read so that what is checked is what is connected to: the host is a name or
  # an address and nothing that another parser could see another host in, and what a client gets
  # is written anew from the parts.

  alias __MODULE__

  @enforce_keys [:scheme, :host, :port, :target]
  defstruct [:scheme, :host, :port, :target, :userinfo]

  @typedoc "`host` as URLs have it, IPv6 in brackets; `target` is the path with the query."
  @type t :: %URL{
          scheme: String.t(),
          host: String.t(),
          port: :inet.port_number(),
          target: String.t(),
          userinfo: String.t() | nil
        }

  @max_bytes 16_384
  @ports %{"http" => 80, "https" => 443}

  @doc "Reads an absolute URL; the error says why it is none that can be requested."
  @spec parse(String.t()) :: {:ok, t()} | {:error, String.t()}
  def parse(text) when byte_size(text) > @max_bytes,
    do: {:error, "the URL is longer than #{@max_bytes} bytes"}

  def parse(text) do
    with :ok <- printable(text),
         [_, scheme, authority, path | query] <- parts(text),
         {:ok, scheme} <- scheme(scheme),
         [_, userinfo, host | port] <- authority_parts(authority),
         {:ok, host} <- host(String.downcase(host, :ascii)),
         {:ok, port} <- port(port, scheme) do
      userinfo = if userinfo != "", do: userinfo
      target = encode(without_dots(path) <> Enum.join(query))
      {:ok, %URL{scheme: scheme, host: host, port: port, target: target, userinfo: userinfo}}
    else
      {:error, message} -> {:error, message}
      nil -> {:error, "it is no URL such as https://example.com/path"}
    end
  end

  @doc "The URL that `location`, absolute or relative, is from here."
  @spec merge(t(), String.t()) :: {:ok, t()} | {:error, String.t()}
  def merge(%URL{} = url, location) do
    [path | _query] = String.split(url.target, "?")

    cond do
      location =~ ~r/\A[a-zA-Z][a-zA-Z0-9+.-]*:/ -> parse(location)
      String.starts_with?(location, "//") -> parse(url.scheme <> ":" <> location)
      String.starts_with?(location, "/") -> beside(url, location)
      String.starts_with?(location, "?") -> beside(url, path <> location)
      location =~ ~r/\A(#|\z)/ -> {:ok, url}
      true -> beside(url, Regex.replace(~r{[^/]*\z}, path, "") <> location)
    end
  end

  defp beside(url, target), do: parse("#{url.scheme}://#{authority(url)}#{target}")

  @doc "Whether two URLs are of one server: what was said to the one may be said to the other."
  @spec same_origin?(t(), t()) :: boolean()
  def same_origin?(a, b), do: {a.scheme, a.host, a.port} == {b.scheme, b.host, b.port}

  @doc "The host with its port, unless that is the scheme's own."
  @spec authority(t()) :: String.t()
  def authority(%URL{scheme: scheme, host: host, port: port}) do
    if @ports[scheme] == port, do: host, else: "#{host}:#{port}"
  end

  @doc "The host as sockets want it: an address, or a name."
  @spec address(t()) :: :inet.ip_address() | charlist()
  def address(%URL{host: host}) do
    name = host |> String.trim_leading("[") |> String.trim_trailing("]") |> String.to_charlist()

    case :inet.parse_address(name) do
      {:ok, address} -> address
      {:error, _} -> name
    end
  end

  @doc "A part of a URL with its escapes resolved; what is no escape stays."
  @spec decode(String.t()) :: binary()
  def decode(text) do
    Regex.replace(~r/%([0-9a-fA-F]{2})/, text, fn _, hex -> <<String.to_integer(hex, 16)>> end)
  end

  defp parts(text),
    do: Regex.run(~r{\A([a-zA-Z][a-zA-Z0-9+.-]*)://([^/?\#]*)([^?\#]*)(\?[^\#]*)?}s, text)

  # What comes before the last @ is no part of the host.
  defp authority_parts(text) do
    Regex.run(
      ~r/\A(?:(.*)@)?(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]{1,255})(?::(\d{0,5}))?\z/s,
      text
    )
  end

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
    case :inet.parse_ipv6strict_address(host |> String.slice(1..-2//1) |> String.to_charlist()) do
      {:ok, address} -> {:ok, "[#{:inet.ntoa(address)}]"}
      {:error, _} -> {:error, "#{host} is no IPv6 address"}
    end
  end

  defp host(host) do
    case :inet.parse_ipv4_address(String.to_charlist(host)) do
      {:ok, address} -> {:ok, to_string(:inet.ntoa(address))}
      {:error, _} -> {:ok, host}
    end
  end

  defp port([digits], scheme) when digits != "" do
    case String.to_integer(digits) do
      port when port in 1..65_535 -> {:ok, port}
      port -> {:error, "#{port} is no port of #{scheme}"}
    end
  end

  defp port(_none, scheme), do: {:ok, @ports[scheme]}

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
  defp encode(target) do
    ~r/%(?![0-9a-fA-F]{2})/
    |> Regex.replace(target, "%25")
    |> URI.encode(&(&1 == ?% or URI.char_unreserved?(&1) or &1 in ~c"!$&'()*+,;=:@/?"))
  end

  defimpl String.Chars do
    def to_string(url), do: "#{url.scheme}://#{URL.authority(url)}#{url.target}"
  end
end
