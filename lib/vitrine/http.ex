defmodule Vitrine.HTTP do
  @moduledoc """
  How plugins reach the web: the behaviour of HTTP clients.

  A plugin may ask its host to make a request. Which ones are made is decided by Vitrine, from
  the options of `Vitrine.new/2`; a client makes one request and knows nothing of that.

      Vitrine.new("plugin.wasm", allowed_hosts: ["api.example.com", "*.example.org"])
      Vitrine.new("plugin.wasm", allowed_hosts: ["*"], http: {MyApp.PluginHTTP, pool: MyApp.Finch})

  Vitrine's own client is `Vitrine.HTTP.Client`. The guide [HTTP](http.md) shows others, on top
  of Req and Finch, and says what plugins may do.

  ## What a client must do

    * make the request as it is, in the process that it is called in: that is the one that called
      the plugin
    * **not follow redirects**: Vitrine does, and looks at each of them
    * end within `:timeout`, and leave no messages in the process's mailbox
    * stop reading a body that is longer than `:max_response_bytes`, and answer
      `{:error, :response_too_large}`. A longer body is refused in any case, but then it has been
      in memory
    * answer with a response whatever its status; a status of 500 is not an error
    * connect to an address that `resolve/2` gives, and to no other. A name is what its owner says it is,
      and may be `127.0.0.1` or the metadata service of your cloud

  A client that raises, throws or exits has failed: the plugin's caller gets what it raised.
  """

  alias Vitrine.HTTP.{Deadline, Request, Resolver, Response, URL}

  @typedoc """
  What a client is given with a request, besides the options that were given with the client:

    * `:timeout` - what the request may take in all, in milliseconds, or `:infinity`
    * `:max_response_bytes` - how long the body of the response may be
    * `:private` - whether the host is listed as one that may have a private address. `resolve/2` looks
      at it
    * `:cancelled?` - a function that tells whether somebody has cancelled the plugin's call. A
      client that can look at it while it waits can stop early; none needs to
  """
  @type option ::
          {:timeout, timeout()}
          | {:max_response_bytes, non_neg_integer()}
          | {:private, boolean()}
          | {:cancelled?, (() -> boolean())}
          | {atom(), term()}

  @doc """
  Makes a request.

  The reason of an error can be anything; a posix atom, a string and an exception are shown well. Those of
  `resolve/2` are understood.
  """
  @callback request(Request.t(), [option()]) :: {:ok, Response.t()} | {:error, reason :: term()}

  @doc """
  Checks the options given with the client, when a plugin is loaded: raises `ArgumentError`, or
  answers with the options that `c:request/2` is to get.
  """
  @callback init(options :: keyword()) :: keyword()

  @optional_callbacks init: 1

  @doc """
  The addresses that a client may connect to for a URL, the first of them first; options are those that
  `c:request/2` was given.

  Without `private: true` there are only addresses of the public internet. Others are refused: loopback, private,
  shared, link-local and site-local, multicast and broadcast, unspecified, reserved, those of documentation and
  the ones of IPv6 in which there is such one of IPv4. For TLS the name stays that of the URL.

      iex> Vitrine.HTTP.resolve("https://93.184.215.14/path", [])
      {:ok, [{93, 184, 215, 14}]}
      iex> {:error, {:not_allowed, why}} = Vitrine.HTTP.resolve("http://[::ffff:127.0.0.1]/", [])
      iex> why
      "[::ffff:127.0.0.1] is a loopback address"
      iex> Vitrine.HTTP.resolve("http://127.1/", private: true)
      {:ok, [{127, 0, 0, 1}]}

  An error can be given back by the client as it is.
  """
  @spec resolve(url :: String.t(), [option()]) ::
          {:ok, [:inet.ip_address(), ...]} | {:error, reason :: term()}
  def resolve(url, options \\ []) when is_binary(url) and is_list(options) do
    deadline = Deadline.in_time(options[:timeout] || :infinity)

    with {:ok, url} <- URL.parse(url),
         do: Resolver.addresses(url, options[:private] == true, deadline)
  end
end
