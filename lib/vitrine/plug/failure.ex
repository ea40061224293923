defmodule Vitrine.Plug.Failure do
  @moduledoc false
  # Answers a request when a plugin fails: the option `:on_error`.

  require Logger

  alias Vitrine.Error
  alias Vitrine.Plug.{Changes, ResponseError}
  alias Vitrine.Text.Nearest

  @type policy ::
          :open
          | {status :: 400..599, body :: iodata()}
          | (Vitrine.Plug.conn(), Error.t() -> Vitrine.Plug.conn())

  @private :vitrine_plug_error

  @doc "The policy of the option."
  @spec policy!(term()) :: policy()
  def policy!(:open), do: :open
  def policy!(:closed), do: {503, "Service Unavailable"}

  def policy!({status, body}) when status in 400..599 and is_binary(body), do: {status, body}
  def policy!(function) when is_function(function, 2), do: function

  def policy!(other) do
    raise ArgumentError,
          "expected :on_error to be :open, :closed, {status, body} with a status from 400 to 599, or a " <>
            "function of a conn and an error, got: #{inspect(other)}#{Nearest.advice(other, [:open, :closed])}"
  end

  @doc "The conn of a request on which the plugin failed."
  @spec of_request(conn, Error.t(), policy()) :: conn when conn: Vitrine.Plug.conn()
  def of_request(conn, error, :open), do: go_on(conn, error, "request")

  def of_request(conn, error, {status, body}) do
    log("request is answered with #{status}", error)
    Changes.respond(conn, status, [], body)
  end

  def of_request(conn, error, function), do: conn!(function.(conn, error), conn)

  @doc "The conn of a response on which the plugin failed."
  @spec of_response(conn, Error.t(), policy()) :: conn when conn: Vitrine.Plug.conn()
  def of_response(conn, error, :open), do: go_on(conn, error, "response")

  def of_response(%{state: :set} = conn, error, {status, body}) do
    log("response is replaced by #{status}", error)
    Changes.replace(conn, status, [], body)
  end

  def of_response(_conn, error, {status, _body}) do
    raise ResponseError, error: error, plug_status: status
  end

  def of_response(conn, error, function), do: conn!(function.(conn, error), conn)

  defp conn!(%conn{} = result, %conn{}), do: result

  defp conn!(other, _conn) do
    raise ArgumentError,
          "expected the function of :on_error to return a conn, got: #{inspect(other)}"
  end

  @doc "The error with which a request went on."
  @spec error(Vitrine.Plug.conn()) :: Error.t() | nil
  def error(conn), do: conn.private[@private]

  defp go_on(conn, error, what) do
    log("#{what} goes on", error)
    %{conn | private: Map.put(conn.private, @private, error)}
  end

  defp log(what, error),
    do: Logger.warning("a filter failed, and the #{what}: #{Exception.message(error)}")
end
