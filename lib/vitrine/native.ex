defmodule Vitrine.Native do
  @moduledoc false
  # The NIF's functions. What they take and give is described in native/vitrine_nif/src.

  @on_load :load

  @doc false
  def load do
    path = Application.app_dir(:vitrine, "priv/native/libvitrine_nif")
    :erlang.load_nif(String.to_charlist(path), 0)
  end

  # Compiling and parsing: the answer is a message, see await/1.
  def compile(_bytes, _id), do: error()
  def compiled_hash(_compiled), do: error()
  def compiled_logs(_compiled), do: error()
  def decode_json(_text, _id), do: error()

  # Plugins
  def plugin_new(_compiled, _options), do: error()
  def plugin_initialise(_plugin, _timeout, _log_level), do: error()
  def plugin_function(_plugin, _name), do: error()
  def plugin_idle(_plugin), do: error()
  def plugin_cancel(_plugin), do: error()
  def plugin_reset(_plugin), do: error()
  def plugin_close(_plugin), do: error()

  # Calls
  def call_start(_plugin, _function, _input, _timeout, _log_level), do: error()
  def call_start_dirty(_plugin, _function, _input, _timeout, _log_level), do: error()
  def call_resume(_call, _reply), do: error()
  def call_resume_dirty(_call, _reply), do: error()
  def call_output(_call), do: error()
  def call_cancelled(_call), do: error()
  def call_drop(_call), do: error()

  @doc false
  # Runs `ask`, one of the functions above that answer by message, and waits for its answer.
  def await(ask) do
    id = System.unique_integer([:positive])
    ask.(id)

    receive do
      {:vitrine_reply, ^id, answer} -> answer
    end
  end

  defp error, do: :erlang.nif_error(:nif_not_loaded)
end
