defmodule Vitrine.Call.Frame do
  @moduledoc false
  # The data that one call carries from slice to slice. The data that all calls of a plugin share is in `Vitrine.Plugin`.

  alias Vitrine.{Plugin, Trace}
  alias __MODULE__

  # Contexts and inputs may be secret.
  @derive {Inspect, only: [:plugin, :function]}
  @enforce_keys [:plugin, :scheduler]
  defstruct [:plugin, :function, :context, :trace, :stdin, :scheduler]

  @type t :: %Frame{
          plugin: Plugin.t(),
          # `nil` while an instance is initialised.
          function: String.t() | nil,
          context: term(),
          trace: Trace.t() | nil,
          # The standard input, if it is not that of the instance.
          stdin: binary() | nil,
          # `:prefer_dirty` is for instances that are made while many processes wait for normal schedulers.
          scheduler: :auto | :prefer_dirty | :dirty
        }

  @doc "Returns the frame of a call, which runs where its plugin's calls run."
  @spec new(Plugin.t(), String.t() | nil) :: t()
  def new(%{scheduler: scheduler} = plugin, function),
    do: %Frame{plugin: plugin, function: function, scheduler: scheduler}

  @doc "Returns the frame of a call with options."
  @spec new(Plugin.t(), String.t() | nil, term(), Trace.t() | nil, binary() | nil) :: t()
  def new(plugin, function, context, trace \\ nil, stdin \\ nil) do
    %Frame{
      plugin: plugin,
      function: function,
      context: context,
      trace: trace,
      stdin: stdin,
      scheduler: plugin.scheduler
    }
  end

  @doc """
  Tells whether the plugin can read the standard input that the call has. If it cannot, this is an error for the caller.
  """
  @spec check(t()) :: :ok | {:argument_error, String.t()}
  def check(%Frame{stdin: nil}), do: :ok
  def check(%Frame{plugin: %Plugin{wasi?: true}}), do: :ok

  def check(%Frame{plugin: plugin}) do
    {:argument_error,
     "the option :stdin has no effect: the plugin #{inspect(plugin.name)} was made without WASI, " <>
       "by which plugins read it; give it wasi: true"}
  end

  @doc """
  Returns the same frame. Raises `ArgumentError` if `check/1` has something to tell, for use in the caller's process.
  """
  @spec check!(t()) :: t()
  def check!(frame) do
    case check(frame) do
      :ok -> frame
      {:argument_error, message} -> raise ArgumentError, message
    end
  end
end
