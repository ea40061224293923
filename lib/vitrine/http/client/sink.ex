defmodule Vitrine.HTTP.Client.Sink do
  @moduledoc false
  # The destination of a body: a binary of limited size. A compressed body is unpacked with gzip. The limit applies to
  # the unpacked bytes, so that a few bytes cannot become gigabytes.

  alias __MODULE__

  @enforce_keys [:max, :zlib]
  defstruct @enforce_keys ++ [body: "", received: 0]

  @type t :: %Sink{
          max: non_neg_integer() | :infinity,
          zlib: :zlib.zstream() | nil,
          body: binary(),
          received: non_neg_integer()
        }

  # Tells zlib to expect gzip, with a window of any size.
  @gzip 31

  # More than gzip can add to bytes that it cannot compress.
  @overhead 65_536

  @doc "Opens an empty sink. It must be closed."
  @spec open(non_neg_integer() | :infinity, boolean()) :: t()
  def open(max, gzip?), do: %Sink{max: max, zlib: if(gzip?, do: zlib())}

  defp zlib do
    zlib = :zlib.open()
    # Several compressed files in a row count as one.
    :ok = :zlib.inflateInit(zlib, @gzip, :reset)
    zlib
  end

  @doc "Checks whether this many more bytes may come."
  @spec room(t(), non_neg_integer()) :: :ok | {:error, :response_too_large}
  def room(%Sink{max: :infinity}, _length), do: :ok

  def room(%Sink{max: max, zlib: nil, received: received}, length),
    do: fits(received + length <= max)

  def room(%Sink{max: max, received: received}, length),
    do: fits(received + length <= 2 * max + @overhead)

  defp fits(true), do: :ok
  defp fits(false), do: {:error, :response_too_large}

  @doc "Takes bytes as they were received."
  @spec put(t(), binary()) :: {:ok, t()} | {:error, term()}
  def put(sink, ""), do: {:ok, sink}

  def put(%Sink{zlib: zlib} = sink, bytes) do
    with :ok <- room(sink, byte_size(bytes)) do
      sink = %{sink | received: sink.received + byte_size(bytes)}
      if zlib, do: inflate(sink, bytes), else: append(sink, bytes)
    end
  end

  # The body is a binary, because a list would be fifty times as large for a body of single bytes.
  defp append(%Sink{body: body, max: max} = sink, bytes) do
    with :ok <- fits(byte_size(body) + byte_size(bytes) <= max),
         do: {:ok, %{sink | body: body <> bytes}}
  end

  defp inflate(%Sink{zlib: zlib} = sink, bytes) do
    case :zlib.safeInflate(zlib, bytes) do
      {:continue, output} ->
        with {:ok, sink} <- append(sink, IO.iodata_to_binary(output)), do: inflate(sink, [])

      {:finished, output} ->
        append(sink, IO.iodata_to_binary(output))

      {:need_dictionary, _, _} ->
        bad_gzip()
    end
  rescue
    # :data_error, :buf_error, …
    ErlangError -> bad_gzip()
  end

  @doc "Returns the complete body."
  @spec finish(t()) :: {:ok, binary()} | {:error, term()}
  def finish(%Sink{zlib: nil, body: body}), do: {:ok, body}
  def finish(%Sink{received: 0}), do: {:ok, ""}

  def finish(%Sink{zlib: zlib, body: body}) do
    :zlib.inflateEnd(zlib)
    {:ok, body}
  rescue
    ErlangError -> bad_gzip()
  end

  defp bad_gzip, do: {:error, "the response is not compressed with gzip as it says"}

  @doc "Releases the sink's resources."
  @spec close(t()) :: :ok
  def close(%Sink{zlib: nil}), do: :ok
  def close(%Sink{zlib: zlib}), do: :zlib.close(zlib)
end
