defmodule Vitrine.Plug.ResponseError do
  @moduledoc """
  Raised when a plugin's filter of responses fails, and the response is one that is sent in chunks or from a file, which
  must not be sent without the filter. See `Vitrine.Plug`.
  """

  @type t :: %__MODULE__{error: Vitrine.Error.t(), plug_status: pos_integer()}

  defexception [:error, :plug_status]

  @impl true
  def message(%{error: error}),
    do: "the response was stopped, because its filter failed: " <> Exception.message(error)
end
