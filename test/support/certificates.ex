defmodule Vitrine.Certificates do
  @moduledoc "Certificates for servers on the loopback interface, made on the spot."

  @doc """
  Options for a server whose certificate is for `names`, and the authorities that a client must
  trust to accept it. `peer` has more of the server's own certificate, as `:validity`.
  """
  def make(names, peer \\ []) do
    key = key()

    %{server_config: server, client_config: client} =
      :public_key.pkix_test_data(%{
        server_chain: %{
          root: key,
          intermediates: [key],
          peer: [{:extensions, [extension(names)]} | key] ++ peer
        },
        client_chain: %{root: key, intermediates: [], peer: key}
      })

    {server, client[:cacerts]}
  end

  @doc "Options for a server whose certificate nobody has signed but itself."
  def self_signed(name) do
    options = [{:extensions, [extension([name])]} | key()]
    %{cert: certificate, key: key} = :public_key.pkix_test_root_cert(~c"self", options)
    [cert: certificate, key: {:ECPrivateKey, :public_key.der_encode(:ECPrivateKey, key)}]
  end

  # Newer versions of TLS in OTP take no SHA-1, which is the default.
  defp key, do: [digest: :sha256, key: {:namedCurve, :secp256r1}]

  # The extension subjectAltName.
  defp extension(names),
    do: {:Extension, {2, 5, 29, 17}, false, Enum.map(names, &alternative/1)}

  defp alternative(address) when is_tuple(address),
    do: {:iPAddress, :erlang.list_to_binary(Tuple.to_list(address))}

  defp alternative(name), do: {:dNSName, String.to_charlist(name)}
end
