defmodule Vitrine.Plug.Options do
  @moduledoc false
  # The options of Vitrine.Plug, checked. What comes of them has no references in it, so that a
  # pipeline can keep it from when it was compiled.

  alias Vitrine.Compiled
  alias Vitrine.HTTP.Headers
  alias Vitrine.Options.{Argument, Schema, Validation}
  alias Vitrine.Options.Tables.Plug, as: Table
  alias Vitrine.Plug.Failure
  alias Vitrine.Process.Callable
  alias Vitrine.Text.Printable

  @enforce_keys [:plugin, :function, :response_function, :timeout, :context, :read, :change] ++
                  [:assign_as, :on_error, :format, :codec]
  defstruct @enforce_keys

  @type t :: %__MODULE__{}

  @typedoc "The changes that a plugin may make. Paths stay below the mount."
  @type change :: %{
          respond: boolean(),
          path: boolean(),
          query: boolean(),
          request_headers: [String.t()],
          response_headers: [String.t()],
          assigns: [String.t()],
          mount: String.t()
        }

  # The server decides how messages are framed and what becomes of connections. To Plug, the host is not a header.
  @servers ~w(
    connection content-length host keep-alive proxy-connection te trailer transfer-encoding upgrade
  )

  @spec new!(keyword()) :: t()
  def new!(options) do
    options = Validation.validate!(options, Table.schema())
    plugin!(options.plugin)

    options
    |> Map.merge(%{
      read: read!(options.read),
      change: change!(options.change),
      on_error: Failure.policy!(options.on_error),
      codec: {options.format, {options.format, max_bytes: options.max_answer_bytes}}
    })
    |> Map.delete(:max_answer_bytes)
    |> then(&struct!(__MODULE__, &1))
  end

  @doc "Raises if something in front has already used what the plugin is to read or to change."
  @spec untouched!(conn, t()) :: conn when conn: Vitrine.Plug.conn()
  def untouched!(conn, %{read: read, change: change}) do
    if read.body, do: unfetched!(conn, :body_params, "read the body")
    if change.query, do: unfetched!(conn, :query_params, "change the query")

    if "cookie" in change.request_headers,
      do: unfetched!(conn, :req_cookies, "change cookies")

    conn
  end

  defp unfetched!(conn, field, what) do
    unless match?(%{^field => %{__struct__: Plug.Conn.Unfetched}}, conn) do
      raise ArgumentError,
            "Vitrine.Plug must come before what fetches #{field} (such as Plug.Parsers), for its plugin " <>
              "to #{what}"
    end
  end

  defp plugin!(%Compiled{}), do: :ok
  defp plugin!(function) when is_function(function, 1), do: :ok

  defp plugin!(%Vitrine.Plugin{}), do: :ok

  defp plugin!(other) do
    Callable.process!(
      other,
      "the option :plugin to be a pool or a server, a plugin, a compiled one, or a function of a conn"
    )
  end

  defp read!(read) do
    grants = grants!(:read, read)

    Map.merge(grants, %{
      headers: names!(:read, grants, :headers, []),
      response_headers: names!(:read, grants, :response_headers, []),
      body: body!(grants.body)
    })
  end

  defp change!(change) do
    grants = grants!(:change, change)

    Map.merge(grants, %{
      request_headers: names!(:change, grants, :request_headers, @servers),
      response_headers: names!(:change, grants, :response_headers, @servers),
      mount: ""
    })
  end

  # Atoms in the list stand for themselves with true, as in [:query, headers: […]].
  defp grants!(option, grants) do
    unless Argument.proper_list?(grants),
      do: Validation.wrong!(Table.schema(), option, grants)

    grants
    |> Enum.map(fn grant -> if is_atom(grant), do: {grant, true}, else: grant end)
    |> Validation.validate!(Schema.fetch!(Table.schema(), option).keys, of: option)
  end

  defp body!(nil), do: nil
  defp body!(max_bytes) when is_integer(max_bytes), do: body!(max_bytes: max_bytes)

  defp body!(body) when is_list(body),
    do: Validation.validate!(body, Table.body(), of: :body)

  defp body!(other), do: Validation.wrong!(Table.read(), :body, other, :read)

  defp names!(option, grants, key, never) do
    names = grants |> Map.fetch!(key) |> Enum.map(&String.downcase(&1, :ascii))

    for name <- names, not Headers.name?(name) or name in never do
      raise ArgumentError,
            "expected #{inspect(key)} of #{inspect(option)} to be headers that can be granted, got: " <>
              Printable.term(name)
    end

    names
  end
end
