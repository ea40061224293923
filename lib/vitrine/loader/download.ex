defmodule Vitrine.Loader.Download do
  @moduledoc false
  # Modules that a manifest names by URL. A module with a hash is looked for in a cache on disk first, and put there
  # afterwards. A module without one is downloaded each time.

  alias Vitrine.Error
  alias Vitrine.HTTP.{Exchange, Hosts, Policy, URL}
  alias Vitrine.Loader.CacheDirectory
  alias Vitrine.Loader.Download.Cache
  alias Vitrine.Options.Names

  # The most bytes that the core compiles.
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

  @doc "Returns how long downloading may take by default, in milliseconds."
  @spec default_timeout() :: pos_integer()
  def default_timeout, do: @timeout

  @doc """
  Returns the bytes of a source, which have its hash if it has one.

  Redirects are followed, to any host, but not from https to http. The allowed hosts of a plugin
  do not matter: the request is that of the manifest's author, not of the plugin. The host
  that the URL names may have a private address; a redirect to another one leads to the public internet,
  unless the URL itself is one of a private address or of localhost.

  ## Options

    * `:http` - the client, as in `Vitrine.new/2`; `false` for no downloads
    * `:timeout` - in milliseconds, or `:infinity`; 60000 by default
    * `:whose_time` - what errors say of the timeout, where it is what is left of another one
    * `:hosts` - the hosts that the URL, and redirects, may lead to: `:all`, as above, or names and patterns as
      of `:allowed_hosts`. `:all` by default
    * `:max_bytes` - how long a module may be, 128 MiB by default
    * `:cache_dir` - the directory of the cache, or `false` for none. By default that of the
      application's environment, `config :vitrine, cache_dir: "…"`, or else `vitrine` in the user's
      cache directory. One that cannot be written is none

  The reason of errors is `:manifest`; wrong options raise `ArgumentError`.
  """
  @spec fetch(source(), keyword()) :: {:ok, binary()} | {:error, Error.t()}
  def fetch(%{url: _} = source, options \\ []) do
    options =
      Names.validate!(options, [
        :cache_dir,
        :whose_time,
        hosts: :all,
        http: Vitrine.HTTP.Client,
        timeout: @timeout,
        max_bytes: @max_bytes
      ])

    policy = %Policy{
      client: Policy.client!(options[:http]),
      hosts: hosts(options[:hosts], source.url),
      max_response_bytes: options[:max_bytes],
      for: :download
    }

    case source[:hash] do
      nil -> download(source, policy, options)
      hash -> cached(source, String.downcase(hash), policy, options)
    end
  end

  # An address of the internal network is reached because whoever wrote the URL wrote it, and not because a
  # server elsewhere says so.
  defp hosts(:all, url) do
    with {:ok, url} <- URL.parse(url),
         false <- Hosts.private_by_name?(url) do
      Hosts.compile(["*", Hosts.text({:private, url.host})])
    else
      _all -> :all
    end
  end

  defp hosts(hosts, _url), do: Policy.hosts!(hosts, [])

  defp cached(source, hash, policy, options) do
    directory = CacheDirectory.find!(options[:cache_dir])

    with :error <- Cache.get(directory, hash, policy.max_response_bytes),
         {:ok, bytes} <- download(source, policy, options),
         :ok <- verify(source, bytes, hash) do
      Cache.put(directory, hash, bytes)
      {:ok, bytes}
    end
  end

  defp download(%{url: url} = source, policy, options) do
    method = String.upcase(source[:method] || "GET")

    case Exchange.run(policy, {method, url, source[:headers] || [], nil}, options[:timeout]) do
      {:ok, {status, _headers, body}} when status in 200..299 -> {:ok, body}
      {:ok, {status, _headers, _body}} -> error(url, "the server answered with status #{status}")
      {:error, message, details} -> error(url, message, details)
      :timeout -> error(url, "it took longer than #{time(options)}")
    end
  end

  defp time(options), do: options[:whose_time] || "#{options[:timeout]} ms"

  defp verify(%{url: url}, bytes, expected) do
    case Cache.hash(bytes) do
      ^expected -> :ok
      hash -> error(url, "hash mismatch: the sha256 is #{hash}, expected #{expected}")
    end
  end

  defp error(url, why, details \\ []) do
    message = "the module #{Exchange.shown(url)} cannot be downloaded: #{why}"
    {:error, struct!(%Error{reason: :manifest, message: message}, details)}
  end
end
