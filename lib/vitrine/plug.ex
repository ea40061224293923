defmodule Vitrine.Plug do
  alias Vitrine.Options.{Docs, Tables}

  @moduledoc """
  A plug that calls a plugin as a filter. The plugin gets each request, and lets it continue, changes it, or answers it.

      plug Vitrine.Plug,
        plugin: MyApp.Filter,
        timeout: 50,
        read: [:peer, headers: ["user-agent", "x-api-key"]],
        change: [:respond, assigns: ["tenant"], response_headers: ["retry-after"]]

  `MyApp.Filter` is a `Vitrine.Pool` here. The plugin's function `on_request` gets a document in JSON:

      {"version": 1, "method": "GET", "scheme": "https", "host": "example.com", "port": 443,
       "path": "/orders/7", "path_info": ["orders", "7"],
       "peer": "203.0.113.9", "headers": [["user-agent", "curl/8"]]}

  It answers with another document, `{"action": "continue", "assign": {"tenant": "acme"}}` or
  `{"action": "respond", "status": 429, "headers": {"retry-after": "1"}, "body": "slow down"}`. The guide
  [Plugins as plugs](plug.md) describes all fields of both.

  A plugin sees and changes only what it is granted. An answer that exceeds its grants is refused as a whole, and
  `:on_error` decides what happens. The same applies to an invalid answer, a trap and a timeout.

  Vitrine does not depend on Plug, and calls it at run time.

  ## Options

  #{Docs.markdown(Tables.Plug.schema())}
  > #### Fail open {: .warning}
  >
  > A client that finds out how to make the plugin fail can bypass an open filter. If the filter guards something, leave
  > it closed.

  ## Bodies

  Bodies are not touched unless `:read` has `:body`. With `:body`, up to that many bytes are read before the plugin is
  called. Code that reads the body later gets it through `read_body/2`:

      plug Plug.Parsers,
        parsers: [:urlencoded, :json],
        body_reader: {Vitrine.Plug, :read_body, []},
        json_decoder: Jason

  The grant is a number of bytes, or a keyword list such as `body: [max_bytes: 64_000, too_large: :skip]`:

  #{Docs.markdown(Tables.Plug.body())}
  With `:skip`, a client can bypass a filter that relies on the body. The plugin can detect this by the field
  `body_skipped`.

  ## Where to put it

  Put it before plugs that parse the parts of the request that it uses. `call/2` raises `ArgumentError` if the body, the
  query or cookies that a plugin may read or change have already been fetched.

  ## Responses

  With `:response_function` the plugin is called again before the response is sent, by
  `Plug.Conn.register_before_send/2`. It may change headers, or replace the response.

  If that fails and `:on_error` is not `:open`, nothing of the response is sent. A response that is sent in chunks or
  from a file can only be stopped by an exception, `Vitrine.Plug.ResponseError`.

  ## Telemetry

  The event is `[:vitrine, :plug, :stop]`, see `Vitrine.Telemetry`. Failures are also logged as warnings.
  """

  @compile {:no_warn_undefined, Plug.Conn}

  alias Vitrine.{Compiled, Error, Telemetry}
  alias Vitrine.Plug.{Answer, Body, Changes, Document, Failure, Options}

  @typedoc "A `Plug.Conn`."
  @type conn :: struct()

  @doc "Checks the options, see above. Raises `ArgumentError` for a wrong option."
  @spec init(keyword()) :: Options.t()
  def init(options), do: Options.new!(options)

  @doc "Runs the filter."
  @spec call(conn(), Options.t()) :: conn()
  def call(conn, %Options{} = options) do
    case find(options.plugin, conn) do
      nil -> conn
      plugin -> filter(Options.untouched!(conn, options), plugin, options)
    end
  end

  defp find(function, conn) when is_function(function, 1), do: function.(conn)
  defp find(plugin, _conn), do: plugin

  defp filter(conn, plugin, options) do
    case Body.take(conn, options.read.body) do
      {:ok, body, conn} ->
        request = Document.request(conn, options)

        conn
        |> on_request(plugin, Document.with_body(request, body, options.format), options)
        |> watch_response(plugin, request, options)

      {:refuse, status, text, conn} ->
        Changes.respond(conn, status, [], text)
    end
  end

  defp on_request(conn, _plugin, _document, %{function: nil}), do: conn

  defp on_request(conn, plugin, document, options) do
    case ask(conn, plugin, options.function, document, :request, options) do
      {:ok, answer} -> Changes.to_request(conn, answer, options)
      {:error, error} -> Failure.of_request(conn, error, options.on_error)
    end
  end

  defp watch_response(%{halted: true} = conn, _plugin, _request, _options), do: conn
  defp watch_response(conn, _plugin, _request, %{response_function: nil}), do: conn

  defp watch_response(conn, plugin, request, options) do
    Plug.Conn.register_before_send(conn, fn conn ->
      document = Document.response(conn, request, options)

      case ask(conn, plugin, options.response_function, document, :response, options) do
        {:ok, answer} -> Changes.to_response(conn, answer)
        {:error, error} -> Failure.of_response(conn, error, options.on_error)
      end
    end)
  end

  defp ask(conn, plugin, function, document, phase, options) do
    describe = &Map.merge(outcome(&1), %{plugin: name(plugin), function: function, phase: phase})

    Telemetry.measure([:vitrine, :plug, :stop], describe, fn ->
      with {:ok, answer} <- run(plugin, function, document, call_options(conn, options)),
           {:error, message} <- Answer.read(answer, phase, change(conn, options)) do
        message = "the plugin's answer is refused: " <> message

        {:error,
         %Error{reason: :answer, message: message, plugin: name(plugin), function: function}}
      end
    end)
  end

  defp call_options(conn, %{codec: codec, context: context, timeout: timeout}) do
    Enum.reject([as: codec, context: context && context.(conn), timeout: timeout], fn {_, value} ->
      value == nil
    end)
  end

  # The grants that apply now: a response that is sent in chunks or from a file cannot be replaced.
  defp change(conn, %{change: change}) do
    %{
      change
      | respond: change.respond and conn.state in [:unset, :set],
        mount: Enum.map_join(conn.script_name, &("/" <> &1))
    }
  end

  defp run(%Compiled{} = compiled, function, document, options),
    do: Vitrine.run(compiled, function, document, options)

  defp run(callable, function, document, options),
    do: Vitrine.call(callable, function, document, options)

  defp name(%{name: name}), do: name
  defp name(server), do: inspect(server)

  defp outcome({:ok, answer}), do: %{action: answer.action, error: nil, reason: nil}
  defp outcome({:error, error}), do: %{action: :error, error: error, reason: error.reason}

  @doc """
  Reads the body of a request like `Plug.Conn.read_body/2`, even after a plugin has seen the body. It is for the option
  `:body_reader` of `Plug.Parsers`, and for code that reads bodies itself.
  """
  @spec read_body(conn(), keyword()) ::
          {:ok, binary(), conn()} | {:more, binary(), conn()} | {:error, term()}
  defdelegate read_body(conn, options \\ []), to: Body, as: :read

  @doc """
  Returns the error with which a plugin failed on this request, if `on_error: :open` let the request continue, and `nil`
  otherwise.
  """
  @spec error(conn()) :: Error.t() | nil
  defdelegate error(conn), to: Failure
end
