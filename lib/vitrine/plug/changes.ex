defmodule Vitrine.Plug.Changes do
  @moduledoc false
  # Applies a checked answer to a conn.

  @compile {:no_warn_undefined, Plug.Conn}

  alias Vitrine.Plug.Answer

  @doc "Continues with a request, or answers it."
  @spec to_request(conn, Answer.t(), Vitrine.Plug.Options.t()) :: conn
        when conn: Vitrine.Plug.conn()
  def to_request(conn, %{action: :respond} = answer, _options),
    do: respond(conn, answer.status, answer.headers, answer.body)

  def to_request(conn, answer, options) do
    conn
    |> Map.update!(:req_headers, &headers(&1, answer.set_headers, answer.remove_headers))
    |> response_headers(answer)
    |> put_query(answer.query)
    |> put_path(answer.path)
    |> put_assigns(answer.assign, options.assign_as)
  end

  @doc "Answers a request, and halts."
  def respond(conn, status, headers, body) do
    conn
    |> Map.update!(:resp_headers, &headers(&1, own(headers), []))
    |> Plug.Conn.send_resp(status, body)
    |> Plug.Conn.halt()
  end

  @doc "Changes a response that is about to be sent, or replaces it."
  @spec to_response(conn, Answer.t()) :: conn when conn: Vitrine.Plug.conn()
  def to_response(conn, %{action: :continue} = answer), do: response_headers(conn, answer)

  def to_response(conn, answer), do: replace(conn, answer.status, answer.headers, answer.body)

  @doc "Replaces a response that is about to be sent completely."
  def replace(conn, status, headers, body) do
    %{conn | status: status, resp_body: body, resp_headers: own(headers), resp_cookies: %{}}
  end

  # A plugin that may answer requests must not be able to run scripts in the application's origin.
  defp own(headers) do
    [{"content-type", "text/plain; charset=utf-8"}, {"x-content-type-options", "nosniff"}]
    |> headers(headers, [])
  end

  defp response_headers(conn, answer) do
    change = &headers(&1, answer.set_response_headers, answer.remove_response_headers)
    Map.update!(conn, :resp_headers, change)
  end

  # A header that is set replaces all values that the client sent.
  defp headers(headers, set, remove) do
    gone = remove ++ for({name, _} <- set, name != "set-cookie", do: name)
    Enum.reject(headers, fn {name, _} -> name in gone end) ++ set
  end

  defp put_query(conn, nil), do: conn
  defp put_query(conn, query), do: %{conn | query_string: query}

  # The check of the answer has ensured that the path stays below where this plug is mounted.
  defp put_path(conn, nil), do: conn

  defp put_path(conn, path) do
    segments = for segment <- String.split(path, "/"), segment != "", do: segment
    %{conn | request_path: path, path_info: Enum.drop(segments, length(conn.script_name))}
  end

  defp put_assigns(conn, assigns, _key) when assigns == %{}, do: conn

  defp put_assigns(conn, assigns, key) do
    Map.update!(
      conn,
      :assigns,
      &Map.update(&1, key, assigns, fn old -> Map.merge(old, assigns) end)
    )
  end
end
