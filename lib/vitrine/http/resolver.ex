defmodule Vitrine.HTTP.Resolver do
  @moduledoc false
  # Finds the addresses of a host that may be connected to. The owner of a name decides its address, and can change it
  # at any time. Connections are therefore made to the addresses that were checked.

  alias Vitrine.HTTP.{Address, URL}
  alias Vitrine.Time.Deadline

  @doc "Returns the addresses of a URL's host, with `private?` those of every kind."
  @spec addresses(URL.t(), boolean(), Deadline.t()) ::
          {:ok, [:inet.ip_address(), ...]} | {:error, term()}
  def addresses(url, private?, deadline) do
    case URL.address(url) do
      address when is_tuple(address) -> checked([address], url.host, private?)
      name -> with {:ok, all} <- lookup(name, deadline), do: checked(all, url.host, private?)
    end
  end

  @doc "Checks whether a host may be connected to, as far as that is known without a name server."
  @spec check(URL.t(), boolean()) :: :ok | {:error, term()}
  def check(url, private?) do
    address = URL.address(url)

    with true <- is_tuple(address),
         {:error, _} = error <- checked([address], url.host, private?) do
      error
    else
      _fine -> :ok
    end
  end

  # A name without an address of the usual family may have one of the other family.
  defp lookup(name, deadline) do
    with {:error, :nxdomain} <- lookup(name, :inet, deadline),
         do: lookup(name, :inet6, deadline)
  end

  defp lookup(name, family, deadline) do
    case :inet.gethostbyname(name, family, Deadline.left(deadline)) do
      {:ok, {:hostent, _name, _aliases, _family, _length, [_ | _] = addresses}} ->
        {:ok, Enum.uniq(addresses)}

      {:ok, _none} ->
        {:error, :nxdomain}

      {:error, reason} ->
        {:error, reason}
    end
  end

  defp checked(addresses, _host, true), do: {:ok, addresses}

  defp checked([first | _] = addresses, host, false) do
    case Enum.filter(addresses, &(Address.special(&1) == nil)) do
      [] -> {:error, {:not_allowed, refusal(host, first)}}
      public -> {:ok, public}
    end
  end

  defp refusal(host, address) do
    kind = Address.special(address)
    article = if String.first(kind) in ~w(a e i o u), do: "an", else: "a"

    case {host, to_string(:inet.ntoa(address))} do
      {shown, shown} -> "#{host} is #{article} #{kind} address"
      {"[" <> _, _shown} -> "#{host} is #{article} #{kind} address"
      {name, shown} -> "#{name} has the address #{shown}, #{article} #{kind} one"
    end
  end
end
