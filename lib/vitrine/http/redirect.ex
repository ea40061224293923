defmodule Vitrine.HTTP.Redirect do
  @moduledoc false
  # The next request after a redirect, by the rules of browsers.

  alias Vitrine.HTTP.{Headers, URL}
  alias Vitrine.Text.Printable

  @typedoc "A request with a parsed URL."
  @type request :: %{
          method: String.t(),
          url: URL.t(),
          headers: Headers.t(),
          body: binary() | nil,
          private?: boolean()
        }

  @doc "Tells whether a response is a redirect."
  @spec redirect?(non_neg_integer(), Headers.t()) :: boolean()
  def redirect?(status, headers) do
    status in [301, 302, 303, 307, 308] and Headers.get(headers, "location") != nil
  end

  @doc "Returns the request to make next."
  @spec follow(request(), non_neg_integer(), location :: binary()) ::
          {:ok, request()} | {:error, String.t()}
  def follow(%{url: from} = request, status, location) do
    case URL.merge(from, location) do
      {:ok, %{scheme: "http"}} when from.scheme == "https" ->
        {:error, "it redirects from https to http"}

      {:ok, url} ->
        request = if keeps_method?(request.method, status), do: request, else: as_get(request)
        {:ok, %{request | url: url, headers: headers(request.headers, from, url)}}

      {:error, message} ->
        {:error, "it redirects to #{Printable.quoted(location, 200)}: #{message}"}
    end
  end

  defp keeps_method?(method, 303), do: method in ["GET", "HEAD"]
  defp keeps_method?(method, status) when status in [301, 302], do: method != "POST"
  defp keeps_method?(_method, _status), do: true

  defp as_get(request) do
    %{request | method: "GET", body: nil, headers: Headers.without_content(request.headers)}
  end

  defp headers(headers, from, to) do
    if URL.same_origin?(from, to), do: headers, else: Headers.without_secrets(headers)
  end
end
