defmodule Vitrine.Plug.Document do
  @moduledoc false
  # The documents about a request and its response for a plugin, as terms for the codec. They contain only what was
  # granted.

  alias Vitrine.Codec.MessagePack.Bin

  @version 1

  @doc "Makes the document of a request without its body."
  @spec request(Vitrine.Plug.conn(), Vitrine.Plug.Options.t()) :: map()
  def request(conn, %{read: read, format: format}) do
    %{"version" => @version, "scheme" => to_string(conn.scheme), "port" => conn.port}
    |> text("method", conn.method, format)
    |> text("host", conn.host, format)
    |> text("path", conn.request_path, format)
    |> texts("path_info", conn.path_info, format)
    |> granted(read.query, &text(&1, "query", conn.query_string, format))
    |> granted(read.peer, &Map.put(&1, "peer", address(conn.remote_ip)))
    |> granted(read.headers != [], &headers(&1, conn.req_headers, read.headers, format))
    |> granted(read.assigns != [], &Map.put(&1, "assigns", assigns(conn, read.assigns)))
  end

  @doc "Adds the body to a document."
  @spec with_body(map(), Vitrine.Plug.Body.body(), :json | :msgpack) :: map()
  def with_body(document, nil, _format), do: document
  def with_body(document, {:skipped, why}, _format), do: Map.put(document, "body_skipped", why)

  def with_body(document, {:body, body}, :msgpack),
    do: Map.put(document, "body", %Bin{data: body})

  def with_body(document, {:body, body}, :json), do: text(document, "body", body, :json)

  @doc "Makes the document of a response that is about to be sent, with its request."
  @spec response(Vitrine.Plug.conn(), map(), Vitrine.Plug.Options.t()) :: map()
  def response(conn, request, %{read: read, format: format}) do
    %{"version" => @version, "request" => request, "status" => conn.status}
    |> granted(read.response_headers != [], fn document ->
      headers(document, conn.resp_headers, read.response_headers, format)
    end)
    |> with_body(response_body(conn, read.response_body), format)
  end

  defp response_body(_conn, nil), do: nil
  defp response_body(%{state: :set_chunked}, _max), do: {:skipped, "chunked"}
  defp response_body(%{state: :set_file}, _max), do: {:skipped, "file"}

  defp response_body(conn, max) do
    if IO.iodata_length(conn.resp_body) <= max,
      do: {:body, IO.iodata_to_binary(conn.resp_body)},
      else: {:skipped, "too_large"}
  end

  defp granted(document, true, put), do: put.(document)
  defp granted(document, false, _put), do: document

  # JSON's strings are texts, so other bytes have a field of another name.
  defp text(document, name, text, format) do
    cond do
      String.valid?(text) -> Map.put(document, name, text)
      format == :json -> Map.put(document, name <> "_base64", Base.encode64(text))
      format == :msgpack -> Map.put(document, name, %Bin{data: text})
    end
  end

  defp texts(document, name, texts, format) do
    cond do
      Enum.all?(texts, &String.valid?/1) -> Map.put(document, name, texts)
      format == :json -> Map.put(document, name <> "_base64", Enum.map(texts, &Base.encode64/1))
      format == :msgpack -> Map.put(document, name, Enum.map(texts, &%Bin{data: &1}))
    end
  end

  defp headers(document, headers, names, format) do
    headers = for {name, value} <- headers, name in names, do: {name, value}
    {texts, bytes} = Enum.split_with(headers, fn {_, value} -> String.valid?(value) end)
    texts = for {name, value} <- texts, do: [name, value]

    case {bytes, format} do
      {[], _} ->
        Map.put(document, "headers", texts)

      {bytes, :json} ->
        encoded = for {name, value} <- bytes, do: [name, Base.encode64(value)]
        Map.merge(document, %{"headers" => texts, "headers_base64" => encoded})

      {_, :msgpack} ->
        Map.put(document, "headers", for({name, value} <- headers, do: [name, bin(value)]))
    end
  end

  defp bin(value), do: if(String.valid?(value), do: value, else: %Bin{data: value})

  defp assigns(conn, keys),
    do: conn.assigns |> Map.take(keys) |> Map.new(fn {key, value} -> {to_string(key), value} end)

  # An address of another kind, such as a Unix socket, is not a peer's address.
  defp address(ip) do
    case :inet.ntoa(ip) do
      {:error, :einval} -> nil
      text -> to_string(text)
    end
  end
end
