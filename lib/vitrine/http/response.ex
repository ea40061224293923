defmodule Vitrine.HTTP.Response do
  @moduledoc """
  The response to a request, as a client of `Vitrine.HTTP` returns it.

    * `status` - the status code, an integer
    * `headers` - a list of names and values, or any other enumerable of them. A value can also be a list of values,
      so the headers of Req, Finch, Mint and Plug can be used as they are
    * `body` - a binary or iodata. If the client asked for an encoding, it is decoded
  """

  @typedoc "A response, as a client returns it."
  @type t :: %__MODULE__{
          status: 100..999,
          headers: Enumerable.t({name :: String.t(), value :: binary() | [binary()]}),
          body: iodata()
        }

  @enforce_keys [:status]
  defstruct [:status, headers: [], body: ""]
end
