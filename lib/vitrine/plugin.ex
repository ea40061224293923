defmodule Vitrine.Plugin do
  @moduledoc """
  A plugin that is loaded: what `Vitrine.new/2` gives and `Vitrine.call/4` takes.

  It has one instance and serves one call at a time; a call while another runs is told `:busy`.
  It can be given to other processes. Its memory is released when nobody holds it any more, or
  by `Vitrine.close/1`.
  """

  @typedoc "A loaded plugin. Its fields are private, but for `name`."
  @type t :: %__MODULE__{
          name: String.t(),
          hash: String.t(),
          ref: reference(),
          host_functions: tuple(),
          timeout: timeout(),
          timeout_from: Vitrine.Call.Deadline.whose(),
          scheduler: :auto | :dirty,
          http: Vitrine.HTTP.Policy.t(),
          logs?: boolean(),
          log_level: Vitrine.Call.Log.level(),
          print_levels: %{stdout: Logger.level(), stderr: Logger.level()},
          wasi?: boolean(),
          trace: Vitrine.Trace.t() | nil,
          stdin: binary() | nil
        }

  @enforce_keys [
    :name,
    :hash,
    :ref,
    :host_functions,
    :timeout,
    :timeout_from,
    :scheduler,
    :http,
    :logs?,
    :log_level,
    :print_levels,
    :wasi?
  ]
  # `hash` is the sha256 of the main module; `trace` is set for a call that is traced, `stdin` for one that has a
  # standard input of its own.
  defstruct @enforce_keys ++ [trace: nil, stdin: nil]

  defimpl Inspect do
    def inspect(plugin, _options),
      do: "#Vitrine.Plugin<#{Vitrine.Text.Printable.name(plugin.name)}>"
  end
end
