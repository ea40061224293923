defmodule Vitrine.HTTP.Request do
  @moduledoc """
  One HTTP request, as a client of `Vitrine.HTTP` gets it. It is checked, and complete except for what clients add
  themselves.

    * `method` - one of `"GET"`, `"HEAD"`, `"POST"`, `"PUT"`, `"PATCH"`, `"DELETE"`, `"OPTIONS"`
      and `"TRACE"`
    * `url` - an absolute URL, `http` or `https`, with every special character encoded, and without user and password
    * `headers` - a list of names, in lower case, and values. It never contains `host`, `content-length`, `connection`
      and similar headers, which belong to the client
    * `body` - a binary, or `nil` if there is none
  """

  @typedoc "A request, as a client gets it."
  @type t :: %__MODULE__{
          method: String.t(),
          url: String.t(),
          headers: [{name :: String.t(), value :: binary()}],
          body: binary() | nil
        }

  @enforce_keys [:method, :url]
  defstruct [:method, :url, headers: [], body: nil]
end
