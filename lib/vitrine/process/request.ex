defmodule Vitrine.Process.Request do
  @moduledoc false
  # A call that a server or a pool is asked for.

  alias Vitrine.{Plugin, Trace}
  alias Vitrine.Call.{Frame, Options}
  alias __MODULE__

  # Inputs and contexts may be secret.
  @derive {Inspect, only: [:id, :function, :timeout]}
  @enforce_keys [:function, :input]
  defstruct [:id, :function, :input, :timeout, :context, :trace, :stdin]

  @type t :: %Request{
          # The client's name for the call, if it may have to withdraw the call.
          id: reference() | nil,
          function: String.t(),
          input: binary(),
          # `nil` for the plugin's own.
          timeout: timeout() | nil,
          context: term(),
          trace: Trace.t() | nil,
          stdin: binary() | nil
        }

  @doc "Returns the request for a call with these options. Raises `ArgumentError` if an option is wrong."
  @spec new!(String.t(), binary(), keyword()) :: t()
  def new!(function, input, []), do: %Request{function: function, input: input}

  def new!(function, input, options) do
    options = Options.check!(options)

    %Request{
      function: function,
      input: input,
      timeout: options[:timeout],
      context: options[:context],
      trace: Trace.begin!(options[:trace]),
      stdin: options[:stdin]
    }
  end

  @doc "Returns the frame of the call in this plugin."
  @spec frame(t(), Plugin.t()) :: Frame.t()
  def frame(%Request{} = request, plugin),
    do: Frame.new(plugin, request.function, request.context, request.trace, request.stdin)
end
