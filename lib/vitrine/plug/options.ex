defmodule Vitrine.Plug.Options do
  @moduledoc false
  # The options of Vitrine.Plug, checked. What comes of them has no references in it, so that a
  # pipeline can keep it from when it was compiled.

  alias Vitrine.{Compiled, Keys}
  alias Vitrine.HTTP.Headers
  alias Vitrine.Options.Argument
  alias Vitrine.Plug.Failure

  @enforce_keys [:plugin, :function, :response_function, :timeout, :context, :read, :change] ++
                  [:assign_as, :on_error, :format, :codec]
  defstruct @enforce_keys

  @type t :: %__MODULE__{}

  @typedoc "What a plugin may change. Paths stay below the mount."
  @type change :: %{
          respond: boolean(),
          path: boolean(),
          query: boolean(),
          request_headers: [String.t()],
          response_headers: [String.t()],
          assigns: [String.t()],
          mount: String.t()
        }

  @read [
    query: false,
    peer: false,
    headers: [],
    body: nil,
    assigns: [],
    response_headers: [],
    response_body: nil
  ]

  @change [
    respond: false,
    path: false,
    query: false,
    request_headers: [],
    response_headers: [],
    assigns: []
  ]

  # How messages are framed, and what becomes of connections, is the server's to say. The host is no header to Plug.
  @servers ~w(
    connection content-length host keep-alive proxy-connection te trailer transfer-encoding upgrade
  )

  @max_answer_bytes 1024 * 1024
  @read_timeout 15_000

  @spec new!(keyword()) :: t()
  def new!(options) do
    options =
      options
      |> Keys.validate!(
        plugin: nil,
        function: "on_request",
        response_function: nil,
        timeout: nil,
        context: nil,
        read: [],
        change: [],
        assign_as: :vitrine,
        on_error: :closed,
        format: :json,
        max_answer_bytes: @max_answer_bytes
      )
      |> Map.new()

    plugin!(options.plugin)
    function!(options, :function)
    function!(options, :response_function)
    if options.timeout, do: Vitrine.Options.timeout!(options.timeout)
    check!(options, :context, &(&1 == nil or is_function(&1, 1)), "a function of a conn")
    check!(options, :assign_as, &(is_atom(&1) and &1 != nil), "an atom")
    check!(options, :format, &(&1 in [:json, :msgpack]), ":json or :msgpack")
    check!(options, :max_answer_bytes, &(is_integer(&1) and &1 > 0), "a number of bytes")

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
    Argument.process!(
      other,
      "the option :plugin to be a pool or a server, a plugin, a compiled one, or a function of a conn"
    )
  end

  defp function!(options, key),
    do: check!(options, key, &(&1 == nil or is_binary(&1)), "the name of a function, or nil")

  defp read!(read) do
    grants = grants!(:read, read, @read)
    for key <- [:query, :peer], do: boolean!(:read, grants, key)
    list!(:read, grants, :assigns, &is_atom/1, "atoms")

    Map.merge(grants, %{
      headers: names!(:read, grants, :headers, []),
      response_headers: names!(:read, grants, :response_headers, []),
      body: body!(grants.body),
      response_body: grants.response_body && bytes!(:response_body, grants.response_body)
    })
  end

  defp change!(change) do
    grants = grants!(:change, change, @change)
    for key <- [:respond, :path, :query], do: boolean!(:change, grants, key)
    list!(:change, grants, :assigns, &is_binary/1, "strings")

    Map.merge(grants, %{
      request_headers: names!(:change, grants, :request_headers, @servers),
      response_headers: names!(:change, grants, :response_headers, @servers),
      mount: ""
    })
  end

  # Atoms in the list stand for themselves with true, as in [:query, headers: […]].
  defp grants!(option, grants, known) do
    unless Argument.proper_list?(grants) do
      raise ArgumentError, "expected it to be a list, got: #{inspect(grants)}"
    end

    grants
    |> Enum.map(fn grant -> if is_atom(grant), do: {grant, true}, else: grant end)
    |> Argument.keyword!("its elements")
    |> Keys.validate!(known)
    |> Map.new()
  rescue
    error in ArgumentError ->
      reraise ArgumentError, "in #{inspect(option)}: #{Exception.message(error)}", __STACKTRACE__
  end

  defp body!(nil), do: nil
  defp body!(max_bytes) when is_integer(max_bytes), do: body!(max_bytes: max_bytes)

  defp body!(body) when is_list(body) do
    body =
      body
      |> Keys.validate!(
        [:max_bytes, too_large: :refuse, multipart: :refuse, read_timeout: @read_timeout],
        :body
      )
      |> Map.new()

    bytes!(:max_bytes, Map.get(body, :max_bytes))
    Vitrine.Options.timeout!(body.read_timeout)

    for key <- [:too_large, :multipart],
        do: check!(body, key, &(&1 in [:refuse, :skip]), ":refuse or :skip")

    body
  end

  defp body!(other), do: bytes!(:body, other)

  defp bytes!(_key, bytes) when is_integer(bytes) and bytes >= 0, do: bytes

  defp bytes!(key, other) do
    raise ArgumentError,
          "expected #{inspect(key)} to be a number of bytes, got: #{inspect(other)}"
  end

  defp names!(option, grants, key, never) do
    list!(option, grants, key, &is_binary/1, "strings")
    names = grants |> Map.fetch!(key) |> Enum.map(&String.downcase(&1, :ascii))

    for name <- names, not Headers.name?(name) or name in never do
      raise ArgumentError,
            "in #{inspect(option)}: #{inspect(name)} of #{inspect(key)} is not a header that can be granted"
    end

    names
  end

  defp list!(option, grants, key, valid?, what) do
    list = Map.fetch!(grants, key)

    unless Argument.list_of?(list, valid?) do
      raise ArgumentError,
            "in #{inspect(option)}: expected #{inspect(key)} to be a list of #{what}, got: #{inspect(list)}"
    end
  end

  defp boolean!(option, grants, key) do
    unless is_boolean(Map.fetch!(grants, key)) do
      raise ArgumentError,
            "in #{inspect(option)}: expected #{inspect(key)} alone, or with true or false, got: " <>
              inspect(Map.fetch!(grants, key))
    end
  end

  defp check!(options, key, valid?, what) do
    value = Map.fetch!(options, key)

    unless valid?.(value) do
      raise ArgumentError, "expected #{inspect(key)} to be #{what}, got: #{inspect(value)}"
    end
  end
end
