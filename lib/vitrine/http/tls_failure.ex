defmodule Vitrine.HTTP.TLSFailure do
  @moduledoc false
  # OTP's alerts in words. What it found wrong with a certificate stands in their text, or nowhere.

  # The beginning of the text, in which it is.
  @looked_at 1_000

  @certificates [
    {"hostname_check_failed", "the server's certificate is for another host's name"},
    {"selfsigned_peer", "the server's certificate is signed by itself and not by an authority"},
    {"cert_expired", "the server's certificate has expired, or is not valid yet"},
    {"unknown_ca", "the server's certificate is signed by an authority that is not trusted here"},
    {"invalid_signature", "the server's certificate has a wrong signature"},
    {"revoked", "the server's certificate was revoked"}
  ]

  @alerts %{
    unknown_ca: "the server's certificate is signed by an authority that is not trusted here",
    certificate_expired: "the server's certificate has expired, or is not valid yet",
    certificate_revoked: "the server's certificate was revoked",
    certificate_required:
      "the server wants a certificate of ours: ssl: [certfile: path, keyfile: path]",
    protocol_version: "the server speaks no version of TLS that is allowed here",
    unrecognized_name: "the server does not know this host's name"
  }

  # What would be right is known for these.
  @advice "the certificates of other authorities are given by ssl: [cacertfile: path]"

  @doc """
  The function `:verify_fun` of TLS, which decides as OTP does without one. Of some certificates OTP's alert
  says only that they are bad; a reason that it does not know goes into its text.
  """
  @spec verify(term(), term(), term()) :: {:fail | :valid | :unknown, term()}
  def verify(_certificate, {:bad_cert, reason}, _state)
      when reason in [:unknown_ca, :cert_expired] or is_tuple(reason),
      do: {:fail, {:bad_cert, reason}}

  def verify(_certificate, {:bad_cert, reason}, _state), do: {:fail, {:certificate, reason}}
  def verify(_certificate, {:extension, _}, state), do: {:unknown, state}
  def verify(_certificate, _valid, state), do: {:valid, state}

  @doc "What went wrong, in a line."
  @spec describe({:tls_alert, {atom(), term()}}) :: String.t()
  def describe({:tls_alert, {name, text}}) do
    text = to_text(text)

    why =
      Enum.find_value(@certificates, fn {mark, words} -> if text =~ mark, do: words end) ||
        Map.get(@alerts, name) || plain(name)

    advice = if why =~ "authority", do: "; #{@advice}", else: ""
    "TLS: #{why}#{advice}"
  end

  defp plain(name) when is_atom(name), do: name |> Atom.to_string() |> String.replace("_", " ")
  defp plain(name), do: inspect(name, limit: 5, printable_limit: 50)

  defp to_text(text) when is_list(text) or is_binary(text) do
    text |> IO.chardata_to_string() |> String.slice(0, @looked_at)
  rescue
    _not_text -> ""
  end

  defp to_text(_other), do: ""
end
