defmodule Vitrine.HTTP do
  @moduledoc """
  How plugins reach the web: the behaviour of HTTP clients.

  A plugin may ask its host to make a request. Which ones are made is decided by Vitrine, from
  the options of `Vitrine.new/2`; a client makes one request and knows nothing of that.

      Vitrine.new("plugin.wasm", allowed_hosts: ["api.example.com", "*.example.org"])
      Vitrine.new("plugin.wasm", allowed_hosts: ["*"], http: {MyApp.PluginHTTP, pool: MyApp.Finch})

  Vitrine's own client is `Vitrine.HTTP.Client`. The guide [HTTP](http.html) shows others, on top
  of Req and Finch, and says what plugins may do.

  ## What a client must do

    * make the request as it is, in the process that it is called in: that is the one that called
      the plugin
    * **not follow redirects**: Vitrine does, and looks at each of them
    * end within `:timeout`, and leave no messages in the process's mailbox
    * stop reading a body that is longer than `:max_response_bytes`, and answer
      `{:error, :response_too_large}`. A longer body is refused in any case, but then it has been
      in memory
    * answer with a response whatever its status; a status of 500 is no error

  A client that raises, throws or exits has failed: the plugin's caller gets what it raised.
  """

  alias Vitrine.HTTP.{Request, Response}

  @typedoc """
  What a client is given with a request, besides the options that were given with the client:

    * `:timeout` - what the request may take in all, in milliseconds, or `:infinity`
    * `:max_response_bytes` - how long the body of the response may be
    * `:cancelled?` - a function that tells whether somebody has cancelled the plugin's call. A
      client that can look at it while it waits can stop early; none needs to
  """
  @type option ::
          {:timeout, timeout()}
          | {:max_response_bytes, non_neg_integer()}
          | {:cancelled?, (() -> boolean())}
          | {atom(), term()}

  @doc """
  Makes a request.

  The reason of an error can be anything; a posix atom, a string and an exception are shown well.
  """
  @callback request(Request.t(), [option()]) :: {:ok, Response.t()} | {:error, reason :: term()}

  @doc """
  Checks the options given with the client, when a plugin is loaded: raises `ArgumentError`, or
  answers with the options that `c:request/2` is to get.
  """
  @callback init(options :: keyword()) :: keyword()

  @optional_callbacks init: 1
end
