defmodule Vitrine.Download do
  @moduledoc false
  # Modules that a manifest names by URL. What has a hash is looked for in a cache on disk first,
  # and put there afterwards; what has none is downloaded each time.

  alias Vitrine.Download.Cache
  alias Vitrine.Error
  alias Vitrine.HTTP.{Exchange, Policy}
  alias Vitrine.Keys

  # As many as the core compiles.
  @max_bytes 128 * 1024 * 1024
  @timeout 60_000

  @typedoc "A source of a manifest. The hash is a sha256 in hexadecimal digits."
  @type source :: %{
          required(:url) => String.t(),
          optional(:method) => String.t() | nil,
          optional(:headers) => Enumerable.t() | nil,
          optional(:hash) => String.t() | nil,
          optional(atom()) => term()
        }

  @doc """
  The bytes of a source, which have its hash if it has one.

  Redirects are followed, to any host, but not from https to http. The allowed hosts of a plugin
  are no matter: whoever wrote the manifest asks, not the plugin.

  ## Options

    * `:http` - the client, as in `Vitrine.new/2`; `false` for no downloads
    * `:timeout` - in milliseconds, or `:infinity`; 60000 by default
    * `:hosts` - the hosts that the URL, and redirects, may lead to: `:all`, or names and patterns as of
      `:allowed_hosts`. `:all` by default
    * `:max_bytes` - how long a module may be, 128 MiB by default
    * `:cache_dir` - the directory of the cache, or `false` for none. By default that of the
      application's environment, `config :vitrine, cache_dir: "…"`, or else `vitrine` in the user's
      cache directory. One that cannot be written is none

  The reason of errors is `:manifest`; wrong options raise `ArgumentError`.
  """
  @spec fetch(source(), keyword()) :: {:ok, binary()} | {:error, Error.t()}
  def fetch(%{url: _} = source, options \\ []) do
    options =
      Keys.validate!(options, [
        :cache_dir,
        hosts: :all,
        http: Vitrine.HTTP.Client,
        timeout: @timeout,
        max_bytes: @max_bytes
      ])

    hosts = options[:hosts]

    policy = %Policy{
      client: Policy.client!(options[:http]),
      hosts: if(hosts == :all, do: :all, else: Policy.hosts!(hosts, [])),
      max_response_bytes: options[:max_bytes]
    }

    case source[:hash] do
      nil -> download(source, policy, options[:timeout])
      hash -> cached(source, String.downcase(hash), policy, options)
    end
  end

  defp cached(source, hash, policy, options) do
    directory = Cache.directory(options[:cache_dir])

    with :error <- Cache.get(directory, hash, policy.max_response_bytes),
         {:ok, bytes} <- download(source, policy, options[:timeout]),
         :ok <- verify(source, bytes, hash) do
      Cache.put(directory, hash, bytes)
      {:ok, bytes}
    end
  end

  defp download(%{url: url} = source, policy, timeout) do
    method = String.upcase(source[:method] || "GET")

    case Exchange.run(policy, {method, url, source[:headers] || [], nil}, timeout) do
      {:ok, {status, _headers, body}} when status in 200..299 -> {:ok, body}
      {:ok, {status, _headers, _body}} -> error(url, "the server answered with status #{status}")
      {:error, message, details} -> error(url, message, details)
      :timeout -> error(url, "it took longer than #{timeout} ms")
    end
  end

  defp verify(%{url: url}, bytes, expected) do
    case Cache.hash(bytes) do
      ^expected -> :ok
      hash -> error(url, "hash mismatch: the sha256 is #{hash}, expected #{expected}")
    end
  end

  defp error(url, why, details \\ []) do
    message = "cannot download #{Exchange.shown(url)}: #{why}"
    {:error, struct!(%Error{reason: :manifest, message: message}, details)}
  end
end
