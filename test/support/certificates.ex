defmodule Vitrine.Certificates do
  @moduledoc "Certificates for servers on the loopback interface, made on the spot."

  @doc """
  Options for a server whose certificate is for `names`, and the authorities that a client must
  trust to accept it.
  """
  def make(names) do
    key = [digest: :sha256, key: {:namedCurve, :secp256r1}]
    # The extension subjectAltName.
    extension = {:Extension, {2, 5, 29, 17}, false, Enum.map(names, &alternative/1)}

    %{server_config: server, client_config: client} =
      :public_key.pkix_test_data(%{
        server_chain: %{root: key, intermediates: [key], peer: [{:extensions, [extension]} | key]},
        client_chain: %{root: key, intermediates: [], peer: key}
      })

    {server, client[:cacerts]}
  end

  defp alternative(address) when is_tuple(address),
    do: {:iPAddress, :erlang.list_to_binary(Tuple.to_list(address))}

  defp alternative(name), do: {:dNSName, String.to_charlist(name)}
end
