defmodule Vitrine.Plug.Body do
  @moduledoc false
  # The body of a request, which can only be read once. The part that was read for a plugin is kept in the conn, and
  # later readers get it from there.

  @compile {:no_warn_undefined, Plug.Conn}

  # The default length of Plug.Conn.read_body/2.
  @length 8_000_000

  # The key in conn.private. Its value is {bytes, :whole}, or {bytes, :rest} if the connection has more.
  @kept :vitrine_plug_body

  @type body :: nil | {:body, binary()} | {:skipped, String.t()}

  @doc """
  Returns the body for a plugin, by the grant `read: [body: …]`, or the response to a request whose body cannot be
  passed.
  """
  @spec take(conn, nil | map()) ::
          {:ok, body(), conn} | {:refuse, status :: pos_integer(), text :: String.t(), conn}
        when conn: Vitrine.Plug.conn()
  def take(conn, nil), do: {:ok, nil, conn}

  def take(conn, grant) do
    cond do
      multipart?(conn) ->
        unread(conn, "multipart", grant.multipart, 415, "Unsupported Media Type")

      announced(conn) > grant.max_bytes ->
        too_large(conn, grant)

      true ->
        take(conn, grant, "")
    end
  end

  defp take(conn, grant, taken) do
    # One byte more than the limit is read, to distinguish a body of that length from a longer one.
    length = grant.max_bytes + 1 - byte_size(taken)

    case read(conn, length: length, read_timeout: grant.read_timeout) do
      {:ok, bytes, conn} ->
        taken = taken <> bytes
        conn = keep(conn, taken, :whole)

        if byte_size(taken) > grant.max_bytes,
          do: too_large(conn, grant),
          else: {:ok, {:body, taken}, conn}

      {:more, bytes, conn} when byte_size(taken) + byte_size(bytes) > grant.max_bytes ->
        conn |> keep(taken <> bytes, :rest) |> too_large(grant)

      {:more, bytes, conn} ->
        take(conn, grant, taken <> bytes)

      {:error, :timeout} ->
        {:refuse, 408, "Request Timeout", conn}

      {:error, _reason} ->
        {:refuse, 400, "Bad Request", conn}
    end
  end

  defp too_large(conn, grant),
    do: unread(conn, "too_large", grant.too_large, 413, "Content Too Large")

  defp unread(conn, why, :skip, _status, _text), do: {:ok, {:skipped, why}, conn}
  defp unread(conn, _why, :refuse, status, text), do: {:refuse, status, text, conn}

  defp multipart?(conn) do
    Enum.any?(conn.req_headers, fn {name, value} ->
      name == "content-type" and
        value
        |> String.trim_leading()
        |> String.downcase(:ascii)
        |> String.starts_with?("multipart/")
    end)
  end

  # The length that the client announces. The bytes are counted nevertheless.
  defp announced(conn) do
    with {_, value} <- List.keyfind(conn.req_headers, "content-length", 0),
         {length, ""} <- Integer.parse(value) do
      length
    else
      _ -> 0
    end
  end

  @doc "Like `Plug.Conn.read_body/2`, but begins with the bytes that were read before."
  def read(conn, options \\ []) do
    length = Keyword.get(options, :length, @length)

    case conn.private do
      %{@kept => {bytes, _}} when byte_size(bytes) > length ->
        {kept, state} = conn.private[@kept]
        others = binary_part(kept, length, byte_size(kept) - length)
        {:more, binary_part(kept, 0, length), keep(conn, others, state)}

      %{@kept => {bytes, :whole}} ->
        {:ok, bytes, keep(conn, "", :whole)}

      %{@kept => {bytes, :rest}} ->
        rest(%{conn | private: Map.delete(conn.private, @kept)}, bytes, options, length)

      _untouched ->
        Plug.Conn.read_body(conn, options)
    end
  end

  defp rest(conn, bytes, _options, length) when byte_size(bytes) == length,
    do: {:more, bytes, conn}

  defp rest(conn, bytes, options, length) do
    options = Keyword.put(options, :length, length - byte_size(bytes))

    with {result, others, conn} <- Plug.Conn.read_body(conn, options),
         do: {result, bytes <> others, conn}
  end

  defp keep(conn, bytes, state),
    do: %{conn | private: Map.put(conn.private, @kept, {bytes, state})}
end
