defmodule Vitrine.HTTP.Exchange do
  @moduledoc false
  # Makes a request of a guest, from the check to the response. This module decides whether a URL may be requested,
  # for the first URL and for each redirect, and what part of the response is returned.

  alias Vitrine.HTTP.{Headers, Hosts, Policy, Redirect, Request, Resolver, Response, URL}
  alias Vitrine.Time.Deadline

  alias Vitrine.HTTP.TLSFailure
  alias Vitrine.Text.Printable

  @methods ~w(GET HEAD POST PUT PATCH DELETE OPTIONS TRACE)

  # The most bytes of a URL that messages show.
  @shown 500

  @typedoc "The request of a guest, unchecked."
  @type asked :: {
          method :: String.t(),
          url :: String.t(),
          headers :: Enumerable.t(),
          body :: binary() | nil
        }

  @typedoc "A response with headers as pairs, the names in lower case, and its body a binary."
  @type response :: {status :: 100..999, [{String.t(), binary()}], binary()}

  @typedoc "The message of a failure, and its fields of a `Vitrine.Error`."
  @type failure :: {:error, message :: String.t(), keyword()}

  @doc "Makes a request within `timeout`. A failure after that time is `:timeout`."
  @spec run(Policy.t(), asked(), timeout(), (() -> boolean())) ::
          {:ok, response()} | failure() | :timeout
  def run(policy, asked, timeout, cancelled? \\ fn -> false end)

  def run(%Policy{client: nil}, {_, url, _, _}, _timeout, _cancelled?),
    do: error("HTTP request to #{shown(url)} is not allowed: HTTP is not enabled (http: false)")

  def run(policy, {method, url, headers, body}, timeout, cancelled?) do
    with {:ok, target} <- parse(url),
         {:ok, private?} <- allowed(policy, target, ""),
         {:ok, method} <- method(method, target),
         {:ok, headers} <- headers(headers, target) do
      request = %{
        method: method,
        url: target,
        headers: authorized(headers, target),
        body: body,
        private?: private?
      }

      limits = %{deadline: Deadline.at(timeout), cancelled?: cancelled?}

      with {:error, _, _} = failure <- exchange(policy, request, limits, 0),
           do: if(Deadline.left(limits.deadline) == 0, do: :timeout, else: failure)
    end
  end

  defp parse(url) do
    with {:error, why} <- URL.parse(url),
         do: error("HTTP request to #{shown(url)} is not allowed: #{why}")
  end

  # Returns whether the URL's host may have a private address.
  defp allowed(policy, url, how) do
    case Hosts.permission(policy.hosts, url) do
      :none -> refused(url, how, Hosts.describe(policy.hosts))
      permission -> reachable(policy, url, how, permission == :private)
    end
  end

  defp reachable(policy, url, how, private?) do
    case Resolver.check(url, private?) do
      :ok -> {:ok, private?}
      {:error, {:not_allowed, why}} -> refused(url, how, why <> advice(policy, url))
    end
  end

  defp advice(%{for: :download}, _url), do: ""

  defp advice(_policy, url) do
    host = inspect(url.host)
    entry = if is_tuple(URL.address(url)), do: host, else: "{:private, #{host}}"
    "; allowed_hosts: [#{entry}] would allow it"
  end

  defp refused(url, how, why),
    do: error("HTTP request to #{shown(url)}#{how} is not allowed: #{why}")

  defp method(method, _url) when method in @methods, do: {:ok, method}

  defp method(method, url) do
    error(
      "HTTP request to #{shown(url)} is not possible: the method #{Printable.quoted(method, 50)} " <>
        "is not one of #{Enum.join(@methods, ", ")}"
    )
  end

  defp headers(headers, url) do
    with {:error, why} <- Headers.check(headers),
         do: error("HTTP request to #{shown(url)} is not possible: #{why}")
  end

  # User and password in a URL mean this header.
  defp authorized(headers, %{userinfo: userinfo}) do
    if userinfo == nil or Headers.get(headers, "authorization") != nil,
      do: headers,
      else: [{"authorization", "Basic " <> Base.encode64(URL.decode(userinfo))} | headers]
  end

  defp exchange(policy, request, limits, redirects) do
    with {:ok, {status, headers, _body} = response} <- request(policy, request, limits) do
      cond do
        not Redirect.redirect?(status, headers) -> finish(policy, response)
        redirects < policy.max_redirects -> follow(policy, request, response, limits, redirects)
        true -> failed(request, "there are more than #{policy.max_redirects} redirects")
      end
    end
  end

  defp follow(policy, request, {status, headers, _body}, limits, redirects) do
    case Redirect.follow(request, status, Headers.get(headers, "location")) do
      {:ok, next} ->
        with {:ok, private?} <-
               allowed(policy, next.url, ", to which #{shown(request.url)} redirects,"),
             do: exchange(policy, %{next | private?: private?}, limits, redirects + 1)

      {:error, why} ->
        failed(request, why)
    end
  end

  # Headers that the plugin does not see are not passed to it.
  defp finish(%{max_response_bytes: max} = policy, {status, headers, body})
       when byte_size(body) <= max,
       do: {:ok, {status, if(policy.response_headers?, do: headers, else: []), body}}

  defp finish(policy, _response), do: too_large(policy)

  defp too_large(%{max_response_bytes: max} = policy) do
    option =
      if policy.for == :plugin, do: " (memory: %{max_http_response_bytes: #{max}})", else: ""

    error("HTTP response exceeds the configured maximum number of bytes: #{max}#{option}")
  end

  defp request(%{client: {module, options}} = policy, request, limits) do
    request_options = [
      timeout: Deadline.left(limits.deadline),
      max_response_bytes: policy.max_response_bytes,
      cancelled?: limits.cancelled?,
      private: request.private?
    ]

    asked = struct!(Request, request |> Map.delete(:private?) |> Map.update!(:url, &to_string/1))

    case module.request(asked, Keyword.merge(options, request_options)) do
      {:ok, response} -> normal(response) || broken(request, module, response)
      {:error, :response_too_large} -> too_large(policy)
      {:error, {:not_allowed, why}} when is_binary(why) -> not_allowed(policy, request.url, why)
      {:error, reason} -> failed(request, describe(reason), exception: reason)
      other -> broken(request, module, other)
    end
  catch
    kind, reason ->
      failed(request, "the client #{inspect(module)} failed",
        kind: kind,
        exception: Exception.normalize(kind, reason, __STACKTRACE__),
        stacktrace: __STACKTRACE__
      )
  end

  defp not_allowed(policy, url, why), do: refused(url, "", why <> advice(policy, url))

  # Converts the response of a client to our own form.
  defp normal(%Response{status: status, headers: headers, body: body}) when status in 100..999 do
    headers =
      for {name, values} <- headers, value <- List.wrap(values) do
        {String.downcase(name, :ascii), IO.iodata_to_binary(value)}
      end

    {:ok, {status, headers, IO.iodata_to_binary(body)}}
  rescue
    _ in [ArgumentError, FunctionClauseError, Protocol.UndefinedError] -> nil
  end

  defp normal(_other), do: nil

  defp broken(request, module, answer) do
    failed(
      request,
      "the client #{inspect(module)} must answer {:ok, %Vitrine.HTTP.Response{}} or " <>
        "{:error, reason}, answered: #{inspect(answer, limit: 20, printable_limit: 200)}"
    )
  end

  defp failed(request, why, details \\ []),
    do: error("HTTP request to #{shown(request.url)} failed: #{why}", details)

  defp describe(reason) when is_binary(reason), do: reason
  defp describe(reason) when is_exception(reason), do: Exception.message(reason)
  defp describe(:timeout), do: "it took too long"
  defp describe(:closed), do: "the server closed the connection"

  defp describe(reason) when is_atom(reason) do
    case :inet.format_error(reason) do
      ~c"unknown POSIX error" ++ _ -> inspect(reason)
      text -> to_string(text)
    end
  end

  defp describe({:tls_alert, {_, _}} = alert), do: TLSFailure.describe(alert)

  defp describe(reason), do: inspect(reason, limit: 20, printable_limit: 200)

  # A client's message may contain text of the server.
  defp error(message, details \\ []), do: {:error, Printable.text(message), details}

  @doc "Returns a URL for messages: in one line, of reasonable length, and without a password."
  @spec shown(String.t() | URL.t()) :: String.t()
  def shown(url) when is_binary(url) do
    case URL.parse(url) do
      {:ok, url} -> shown(url)
      {:error, _} -> Printable.quoted(url, @shown)
    end
  end

  def shown(url) do
    text = to_string(url)
    if byte_size(text) <= @shown, do: text, else: binary_part(text, 0, @shown) <> "…"
  end
end
