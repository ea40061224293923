defmodule Vitrine.HTTP.TLSFailure do
  @moduledoc false
  # OTP's alerts in words. The fault of a certificate, or of what is not TLS, stands only in the alert's text, if at all.

  # How many bytes of the text are examined. The fault stands at its beginning.
  @looked_at 1_000

  @marks [
    {"hostname_check_failed", "the server's certificate is for another host's name"},
    {"selfsigned_peer", "the server's certificate is signed by itself and not by an authority"},
    {"cert_expired", "the server's certificate has expired, or is not valid yet"},
    {"unknown_ca", "the server's certificate is signed by an authority that is not trusted here"},
    {"invalid_signature", "the server's certificate has a wrong signature"},
    {"revoked", "the server's certificate was revoked"},
    {"unsupported_record_type",
     "the server does not speak TLS on this port; it may speak HTTP without it"}
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

  # The advice for faults that concern authorities.
  @advice "the certificates of other authorities are given by ssl: [cacertfile: path]"

  @doc """
  The function `:verify_fun` of TLS. It decides as OTP does without one. For some certificates OTP's alert would only
  say that they are bad. The function returns a reason that OTP does not know, because OTP puts such a reason into the
  text of the alert.
  """
  @spec verify(term(), term(), term()) :: {:fail | :valid | :unknown, term()}
  def verify(_certificate, {:bad_cert, reason}, _state)
      when reason in [:unknown_ca, :cert_expired] or is_tuple(reason),
      do: {:fail, {:bad_cert, reason}}

  def verify(_certificate, {:bad_cert, reason}, _state), do: {:fail, {:certificate, reason}}
  def verify(_certificate, {:extension, _}, state), do: {:unknown, state}
  def verify(_certificate, _valid, state), do: {:valid, state}

  @doc "Describes the failure in one line."
  @spec describe({:tls_alert, {atom(), term()}}) :: String.t()
  def describe({:tls_alert, {name, text}}) do
    text = to_text(text)

    why =
      Enum.find_value(@marks, fn {mark, words} -> if text =~ mark, do: words end) ||
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
