defmodule Vitrine.Native do
  @moduledoc false
  # The NIF's functions. What they take and give is described in native/vitrine_nif/src.

  @on_load :load

  alias Vitrine.Native.Library

  # The compiler loads this module, and with it the library, before it has compiled all others.
  Code.ensure_compiled!(Library)

  @doc false
  def load, do: Library.path() |> String.to_charlist() |> :erlang.load_nif(0) |> Library.note()

  # Compiling and parsing: the answer is a message, see await/1.
  def compile(_bytes, _options, _id), do: error()
  def compiled_hash(_compiled), do: error()
  def cache_fault(_cache), do: error()
  def inspect_module(_bytes, _options, _id), do: error()
  def plan_modules(_modules, _main, _options, _id), do: error()
  def decode_toml(_text, _id), do: error()

  # Plugins
  def link(_modules, _main, _options), do: error()
  def plugin_new(_links, _options), do: error()
  def plugin_new_dirty(_links, _options), do: error()
  def plugin_initialise(_plugin, _timeout, _log_level), do: error()
  def plugin_initialise_dirty(_permit, _plugin, _timeout, _log_level), do: error()
  def plugin_function(_plugin, _name), do: error()
  def plugin_functions(_plugin), do: error()
  def plugin_idle(_plugin), do: error()
  def plugin_cancel(_plugin), do: error()
  def plugin_reset(_plugin), do: error()
  def plugin_close(_plugin), do: error()
  def plugin_tie(_plugin), do: error()
  def plugin_vars(_plugin), do: error()
  def plugin_put_vars(_plugin, _vars), do: error()
  def plugin_put_config(_plugin, _changes), do: error()
  def plugin_take_printed(_plugin), do: error()
  def plugin_fuel_used(_plugin), do: error()
  def plugin_snapshot(_plugin, _id), do: error()
  def plugin_stats(_plugin), do: error()
  def plugin_vars_version(_plugin), do: error()

  # Lists
  def plugin_list(_plugin, _name, _hash, _owner), do: error()
  def links_list(_links, _name, _hash), do: error()
  def list_all, do: error()

  # Calls
  def call_start(_plugin, _function, _input, _timeout, _log_level), do: error()
  def call_start_dirty(_permit, _plugin, _function, _input, _timeout, _log_level), do: error()
  def call_start_stdin(_permit, _plugin, _function, _inputs, _timeout, _level), do: error()
  def call_resume(_call, _reply), do: error()
  def call_resume_dirty(_permit, _call, _reply), do: error()
  def call_output(_permit, _call), do: error()
  def call_cancelled(_call), do: error()
  def call_drop(_call), do: error()

  # Permits for dirty schedulers: see Vitrine.Native.Permit
  def call_permit(_call, _permit, _id, _schedulers), do: error()
  def permit_ask(_permit, _id, _schedulers), do: error()
  def permit_leave(_permit), do: error()
  def permits, do: error()

  # Codecs
  def json_decode(_text), do: error()
  def json_decode_dirty(_text), do: error()
  def json_encode(_term), do: error()
  def json_encode_dirty(_term), do: error()
  def msgpack_decode(_bytes), do: error()
  def msgpack_decode_dirty(_bytes), do: error()
  def msgpack_encode(_term), do: error()
  def msgpack_encode_dirty(_term), do: error()

  # HTML
  def html_fault(_policy), do: error()
  def html_sanitize(_html, _policy), do: error()
  def html_sanitize_dirty(_html, _policy), do: error()
  def html_parse(_html, _policy), do: error()
  def html_parse_dirty(_html, _policy), do: error()
  def html_resume_dirty(_document), do: error()

  @doc false
  # Runs `ask`, one of the functions above that answer by message, and waits for its answer.
  def await(ask) do
    # Made here, so that no message from before is looked at: see "Fetching Received Messages" in
    # Erlang's Efficiency Guide.
    id = make_ref()
    ask.(id)

    receive do
      {:vitrine_reply, ^id, answer} -> answer
    end
  end

  defp error, do: :erlang.nif_error(:nif_not_loaded)
end
