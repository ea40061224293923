defmodule Vitrine.HTTP do
  @moduledoc """
  The behaviour of HTTP clients, which make the requests of plugins.

  A plugin may ask its host to make a request. Vitrine decides whether the request is made, from the options of
  `Vitrine.new/2`. A client makes one request, and does not know these options:

      Vitrine.new("plugin.wasm", allowed_hosts: ["api.example.com", "*.example.org"])
      Vitrine.new("plugin.wasm", allowed_hosts: ["*"], http: {MyApp.PluginHTTP, pool: MyApp.Finch})

  Vitrine's own client is `Vitrine.HTTP.Client`. The guide [HTTP](http.md) describes what plugins may do, and shows
  clients that use Req and Finch.

  ## What a client must do

    * Make the request as it is given, in the process that the client is called in. That is the process that called
      the plugin
    * **Not follow redirects.** Vitrine follows them, and checks each of them
    * End within `:timeout`, and leave no messages in the process's mailbox
    * Stop reading a body that is longer than `:max_response_bytes`, and return `{:error, :response_too_large}`. A
      longer body is always refused, but otherwise it has been in memory
    * Return a response whatever its status is. A status of 500 is not an error
    * Connect only to an address that `resolve/2` returns. The owner of a name decides its address, which may be
      `127.0.0.1` or the metadata service of your cloud

  If a client raises, throws or exits, the plugin's caller gets the exception in the error.
  """

  alias Vitrine.HTTP.{Request, Resolver, Response, URL}
  alias Vitrine.Time.Deadline

  @typedoc """
  The options that a client gets with a request, in addition to the options that were configured with the client:

    * `:timeout` - how long the whole request may take, in milliseconds, or `:infinity`
    * `:max_response_bytes` - how long the body of the response may be
    * `:private` - whether the host is listed as one that may have a private address. `resolve/2` uses it
    * `:cancelled?` - a function that tells whether the plugin's call was cancelled. A client that can ask it while it
      waits can stop early, but it does not have to
  """
  @type option ::
          {:timeout, timeout()}
          | {:max_response_bytes, non_neg_integer()}
          | {:private, boolean()}
          | {:cancelled?, (() -> boolean())}
          | {atom(), term()}

  @doc """
  Makes a request.

  The reason of an error can be any term. A posix atom, a string and an exception are shown well, and so are the
  reasons of `resolve/2`.
  """
  @callback request(Request.t(), [option()]) :: {:ok, Response.t()} | {:error, reason :: term()}

  @doc """
  Checks the options that were configured with the client, when a plugin is loaded. Raises `ArgumentError`, or returns
  the options that `c:request/2` is to get.
  """
  @callback init(options :: keyword()) :: keyword()

  @optional_callbacks init: 1

  @doc """
  Returns the addresses that a client may connect to for a URL, in the order in which to try them. `options` are those
  that `c:request/2` was given.

  Without `private: true`, only addresses of the public internet are returned. Other addresses are refused: loopback,
  private, shared, link-local and site-local, multicast and broadcast, unspecified, reserved, documentation, and IPv6
  addresses that contain such an IPv4 address. For TLS, use the name in the URL.

      iex> Vitrine.HTTP.resolve("https://93.184.215.14/path", [])
      {:ok, [{93, 184, 215, 14}]}
      iex> {:error, {:not_allowed, why}} = Vitrine.HTTP.resolve("http://[::ffff:127.0.0.1]/", [])
      iex> why
      "[::ffff:127.0.0.1] is a loopback address"
      iex> Vitrine.HTTP.resolve("http://127.1/", private: true)
      {:ok, [{127, 0, 0, 1}]}

  A client can return an error of this function as it is.
  """
  @spec resolve(url :: String.t(), [option()]) ::
          {:ok, [:inet.ip_address(), ...]} | {:error, reason :: term()}
  def resolve(url, options \\ []) when is_binary(url) and is_list(options) do
    deadline = Deadline.at(options[:timeout] || :infinity)

    with {:ok, url} <- URL.parse(url),
         do: Resolver.addresses(url, options[:private] == true, deadline)
  end
end
