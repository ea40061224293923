defmodule Vitrine.HTTP.Address do
  @moduledoc false
  # Decides which addresses are public, after IANA's registries of special-purpose addresses. An IPv6 address that contains an
  # IPv4 address leads to that address.

  import Bitwise

  @type kind :: String.t()

  # The first match counts, so more specific ranges stand first.
  @ipv4 [
    {{0, 0, 0, 0}, 32, "unspecified"},
    {{0, 0, 0, 0}, 8, "reserved"},
    {{10, 0, 0, 0}, 8, "private"},
    {{100, 64, 0, 0}, 10, "shared (RFC 6598)"},
    {{127, 0, 0, 0}, 8, "loopback"},
    # The address of Azure's agents and metadata.
    {{168, 63, 129, 16}, 32, "cloud service"},
    {{169, 254, 0, 0}, 16, "link-local"},
    {{172, 16, 0, 0}, 12, "private"},
    {{192, 0, 0, 0}, 24, "reserved"},
    {{192, 0, 2, 0}, 24, "documentation"},
    {{192, 88, 99, 0}, 24, "reserved"},
    {{192, 168, 0, 0}, 16, "private"},
    {{198, 18, 0, 0}, 15, "benchmarking"},
    {{198, 51, 100, 0}, 24, "documentation"},
    {{203, 0, 113, 0}, 24, "documentation"},
    {{224, 0, 0, 0}, 4, "multicast"},
    {{255, 255, 255, 255}, 32, "broadcast"},
    {{240, 0, 0, 0}, 4, "reserved"}
  ]

  # Only 2000::/3 of IPv6 is public, with these exceptions.
  @ipv6 [
    {{0, 0, 0, 0, 0, 0, 0, 0}, 128, "unspecified"},
    {{0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    {{0x64, 0xFF9B, 1, 0, 0, 0, 0, 0}, 48, "private"},
    {{0x2001, 0, 0, 0, 0, 0, 0, 0}, 32, "Teredo"},
    {{0x2001, 0, 0, 0, 0, 0, 0, 0}, 23, "reserved"},
    {{0x2001, 0xDB8, 0, 0, 0, 0, 0, 0}, 32, "documentation"},
    {{0x3FFF, 0, 0, 0, 0, 0, 0, 0}, 20, "documentation"},
    {{0xFC00, 0, 0, 0, 0, 0, 0, 0}, 7, "private"},
    {{0xFE80, 0, 0, 0, 0, 0, 0, 0}, 10, "link-local"},
    {{0xFEC0, 0, 0, 0, 0, 0, 0, 0}, 10, "site-local"},
    {{0xFF00, 0, 0, 0, 0, 0, 0, 0}, 8, "multicast"}
  ]

  @doc "Returns the kind of an address that is not public, or `nil` for an address of the public internet."
  @spec special(:inet.ip_address()) :: kind() | nil
  def special({_, _, _, _} = address), do: find(@ipv4, number(address), 32)

  def special(address) do
    case embedded(address) do
      nil -> find(@ipv6, number(address), 128) || unallocated(address)
      ipv4 -> special(ipv4)
    end
  end

  defp find(networks, number, bits) do
    Enum.find_value(networks, fn {network, prefix, kind} ->
      rest = bits - prefix
      if number >>> rest == number(network) >>> rest, do: kind
    end)
  end

  defp number({a, b, c, d}), do: a <<< 24 ||| b <<< 16 ||| c <<< 8 ||| d

  defp number(ipv6),
    do: ipv6 |> Tuple.to_list() |> Enum.reduce(0, fn part, number -> number <<< 16 ||| part end)

  defp unallocated({first, _, _, _, _, _, _, _}) when first in 0x2000..0x3FFF, do: nil
  defp unallocated(_address), do: "reserved"

  # Addresses that are mapped, translated, or behind NAT64, 6to4 and ISATAP.
  defp embedded({0, 0, 0, 0, 0, 0xFFFF, high, low}), do: ipv4(high, low)
  defp embedded({0, 0, 0, 0, 0xFFFF, 0, high, low}), do: ipv4(high, low)
  defp embedded({0x64, 0xFF9B, 0, 0, 0, 0, high, low}), do: ipv4(high, low)
  defp embedded({0x2002, high, low, _, _, _, _, _}), do: ipv4(high, low)

  defp embedded({first, _, _, _, interface, 0x5EFE, high, low})
       when first in 0x2000..0x3FFF and interface in [0, 0x200],
       do: ipv4(high, low)

  defp embedded(_address), do: nil

  defp ipv4(high, low), do: {high >>> 8, high &&& 0xFF, low >>> 8, low &&& 0xFF}
end
