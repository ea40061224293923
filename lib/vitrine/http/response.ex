defmodule Vitrine.HTTP.Response do
  @moduledoc """
  What came of a request, as a client of `Vitrine.HTTP` answers it.

    * `status` - the status code, an integer
    * `headers` - a list of names and values, or anything else that can be enumerated as such, with
      lists of values too: what Req, Finch, Mint and Plug have is right as it is
    * `body` - a binary or iodata; decoded, if the client asked for an encoding
  """

  @typedoc "A response, as a client gives it."
  @type t :: %__MODULE__{
          status: 100..999,
          headers: Enumerable.t({name :: String.t(), value :: binary() | [binary()]}),
          body: iodata()
        }

  @enforce_keys [:status]
  defstruct [:status, headers: [], body: ""]
end
