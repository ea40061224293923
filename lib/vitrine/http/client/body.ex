defmodule Vitrine.HTTP.Client.Body do
  @moduledoc false
  # The body of a response, as the headers say how it is framed.

  alias Vitrine.HTTP.Client.{Connection, Head, Sink}
  alias Vitrine.HTTP.Headers

  # The most bytes of a chunk's size with its extensions, and of the headers after the last chunk.
  @max_line 4_096
  @max_trailer 16_384
  # More bytes than any body may have. A larger number is not taken for a size.
  @max_chunk 1_000_000_000_000_000_000

  @cut_off "the server closed the connection in the middle of the body"

  @doc """
  Reads a body of at most `max_response_bytes`, and decodes it if `decode?` is true. Returns the headers that still
  apply, and the bytes.
  """
  @spec read(Connection.t(), {String.t(), 100..999, Headers.t()}, map(), boolean()) ::
          {:ok, Headers.t(), binary()} | {:error, term()}
  def read(connection, {method, status, headers}, options, decode?) do
    with {:ok, framing} <- framing(method, status, headers) do
      gzip? = decode? and framing != :none and gzip?(headers)
      sink = Sink.open(options[:max_response_bytes] || :infinity, gzip?)

      try do
        with {:ok, sink} <- read(framing, connection, sink),
             {:ok, body} <- Sink.finish(sink),
             do: {:ok, headers |> one_length() |> decoded(gzip?), body}
      after
        Sink.close(sink)
      end
    end
  end

  defp gzip?(headers) do
    encoding = Headers.get(headers, "content-encoding")
    encoding != nil and String.downcase(encoding, :ascii) in ["gzip", "x-gzip"]
  end

  # A length that is said twice is one, as all of them agree.
  defp one_length(headers) do
    {lengths, others} = Enum.split_with(headers, &match?({"content-length", _}, &1))
    if match?([_, _ | _], lengths), do: [hd(lengths) | others], else: headers
  end

  # They speak of what was sent.
  defp decoded(headers, false), do: headers

  defp decoded(headers, true),
    do: Enum.reject(headers, fn {name, _} -> name in ["content-encoding", "content-length"] end)

  defp framing("HEAD", _status, _headers), do: {:ok, :none}
  defp framing(_method, status, _headers) when status in [204, 304], do: {:ok, :none}

  defp framing(_method, _status, headers) do
    case {values(headers, "transfer-encoding"), values(headers, "content-length")} do
      {[], []} -> {:ok, :until_closed}
      {[], [digits]} -> content_length(digits)
      {["chunked"], _} -> {:ok, :chunked}
      {[], lengths} -> {:error, "the response has several lengths: #{show(lengths)}"}
      {codings, _} -> {:error, "the response has an unknown encoding: #{show(codings)}"}
    end
  end

  # The distinct values of a header, which may also be one list.
  defp values(headers, name) do
    for({^name, list} <- headers, value <- String.split(list, ","), do: value)
    |> Enum.map(&(&1 |> Headers.trim() |> String.downcase(:ascii)))
    |> Enum.uniq()
  end

  defp content_length(digits) do
    if digits =~ ~r/\A[0-9]{1,18}\z/,
      do: {:ok, {:length, String.to_integer(digits)}},
      else: {:error, "the response has a length that is not a number: #{show(digits)}"}
  end

  defp show(values), do: inspect(values, limit: 5, printable_limit: 100)

  defp read(:none, _connection, sink), do: {:ok, sink}

  defp read({:length, length}, connection, sink) do
    with :ok <- Sink.room(sink, length),
         {:ok, sink, _connection} <- take(length, connection, sink),
         do: {:ok, sink}
  end

  defp read(:until_closed, connection, sink) do
    with {:ok, sink} <- Sink.put(sink, connection.buffer) do
      case Connection.read(%{connection | buffer: ""}) do
        {:ok, connection} -> read(:until_closed, connection, sink)
        {:error, :closed} -> {:ok, sink}
        {:error, reason} -> {:error, reason}
      end
    end
  end

  defp read(:chunked, connection, sink) do
    with {:ok, line, connection} <- line(connection),
         {:ok, size} <- chunk_size(line) do
      chunk(size, connection, sink)
    end
  end

  defp chunk(0, connection, sink) do
    with {:ok, _trailer, _connection, _budget} <- Head.headers(connection, @max_trailer, []),
         do: {:ok, sink}
  end

  defp chunk(size, connection, sink) do
    with :ok <- Sink.room(sink, size),
         {:ok, sink, connection} <- take(size, connection, sink),
         {:ok, "", connection} <- line(connection) do
      read(:chunked, connection, sink)
    else
      {:ok, _more, _connection} -> bad_chunk()
      {:error, reason} -> {:error, reason}
    end
  end

  # Hexadecimal digits, without a sign, then perhaps extensions.
  defp chunk_size(<<digit, _::binary>> = line)
       when digit in ?0..?9 or digit in ?a..?f or digit in ?A..?F do
    case Integer.parse(line, 16) do
      {size, ""} when size < @max_chunk -> {:ok, size}
      {size, <<next, _::binary>>} when size < @max_chunk and next in ~c"; \t" -> {:ok, size}
      _ -> bad_chunk()
    end
  end

  defp chunk_size(_line), do: bad_chunk()

  defp bad_chunk, do: {:error, "the response is not chunked as it must be"}

  # The reductions of a line, which are not counted otherwise: a body may have a chunk for each byte.
  @reductions 100

  defp line(%{buffer: buffer} = connection) do
    :erlang.bump_reductions(@reductions)

    case :binary.split(buffer, "\r\n") do
      [line, rest] when byte_size(line) <= @max_line ->
        {:ok, line, %{connection | buffer: rest}}

      [part] when byte_size(part) <= @max_line ->
        with {:ok, connection} <- more(connection), do: line(connection)

      _too_long ->
        bad_chunk()
    end
  end

  # Moves so many bytes from the connection to the sink.
  defp take(length, %{buffer: buffer} = connection, sink) do
    case byte_size(buffer) - length do
      more when more >= 0 ->
        with {:ok, sink} <- Sink.put(sink, binary_part(buffer, 0, length)),
             do: {:ok, sink, %{connection | buffer: binary_part(buffer, length, more)}}

      less ->
        with {:ok, sink} <- Sink.put(sink, buffer),
             {:ok, connection} <- more(%{connection | buffer: ""}),
             do: take(-less, connection, sink)
    end
  end

  defp more(connection) do
    with {:error, :closed} <- Connection.read(connection), do: {:error, @cut_off}
  end
end
