defmodule Vitrine.HTTP.Client.Head do
  @moduledoc false
  # The status line and the headers of a response, parsed by the emulator's own parser.

  alias Vitrine.HTTP.Client.Connection
  alias Vitrine.HTTP.Headers

  @doc """
  Reads a response up to its body. The head and all interim responses before it may have `budget` bytes together.
  """
  @spec read(Connection.t(), pos_integer()) ::
          {:ok, 100..999, Headers.t(), Connection.t()} | {:error, term()}
  def read(connection, budget) do
    with {:ok, {:http_response, {1, _}, status, _}, connection, budget} <-
           line(connection, :http_bin, budget),
         {:ok, headers, connection, budget} <- headers(connection, budget, []) do
      cond do
        status in 200..999 -> {:ok, status, headers, connection}
        # "Processing", "Early Hints" and the like announce a response.
        status in 100..199 and status != 101 -> read(connection, budget)
        true -> not_http()
      end
    else
      {:ok, _other, _connection, _budget} -> not_http()
      {:error, reason} -> {:error, reason}
    end
  end

  @doc "Reads headers, or the trailers after a body in chunks."
  @spec headers(Connection.t(), non_neg_integer(), Headers.t()) ::
          {:ok, Headers.t(), Connection.t(), non_neg_integer()} | {:error, term()}
  def headers(connection, budget, headers) do
    case line(connection, :httph_bin, budget) do
      {:ok, {:http_header, _, _, name, value}, connection, budget} ->
        headers(connection, budget, [{String.downcase(name, :ascii), unfold(value)} | headers])

      {:ok, :http_eoh, connection, budget} ->
        {:ok, Enum.reverse(headers), connection, budget}

      {:ok, _other, _connection, _budget} ->
        not_http()

      {:error, reason} ->
        {:error, reason}
    end
  end

  # A value may go on in the next line, if that is indented.
  defp unfold(value) do
    case :binary.split(value, "\n", [:global]) do
      [_one_line] -> value
      lines -> Enum.map_join(lines, " ", &(&1 |> String.trim_trailing("\r") |> Headers.trim()))
    end
  end

  # The reductions of the parser for a line, which it does not count itself.
  @reductions 100

  defp line(%{buffer: buffer} = connection, type, budget) do
    :erlang.bump_reductions(@reductions)

    case :erlang.decode_packet(type, buffer, []) do
      {:ok, packet, rest} when byte_size(buffer) - byte_size(rest) <= budget ->
        budget = budget - (byte_size(buffer) - byte_size(rest))
        {:ok, packet, %{connection | buffer: rest}, budget}

      {:more, _} when byte_size(buffer) <= budget ->
        with {:ok, connection} <- Connection.read(connection),
             do: line(connection, type, budget)

      {:error, _} ->
        not_http()

      _too_long ->
        {:error, "the headers of the response are too long"}
    end
  end

  defp not_http, do: {:error, "the answer is not an HTTP response"}
end
