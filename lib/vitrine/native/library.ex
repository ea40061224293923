defmodule Vitrine.Native.Library do
  @moduledoc false
  # Finds the native library, and writes the text for a library that cannot be loaded. It is apart from
  # Vitrine.Native, since no function of a module whose `@on_load` failed can be called.

  @reason {__MODULE__, :reason}

  @doc "Returns the path of the library without its extension, as `:erlang.load_nif/2` takes it."
  @spec path() :: Path.t()
  def path, do: Application.app_dir(:vitrine, "priv/native/libvitrine_nif")

  @doc "Keeps what `:erlang.load_nif/2` answered, for `fault/0`."
  @spec note(:ok | {:error, {atom(), charlist()}}) :: :ok | {:error, {atom(), charlist()}}
  def note(:ok), do: :ok

  def note({:error, {_kind, text}} = error) do
    :persistent_term.put(@reason, List.to_string(text))
    error
  end

  @doc "Returns a text that says what happened, why, and what to do."
  @spec fault() :: String.t()
  def fault do
    why = :persistent_term.get(@reason, "the reason is not known")

    "Vitrine's native library #{path()}.so cannot be loaded on " <>
      "#{:erlang.system_info(:system_architecture)}: #{why}; build it on this system with " <>
      "`mix deps.compile vitrine --force` (in Vitrine's own directory `mix compile`), or give one " <>
      "that was built for it by VITRINE_NIF_PATH: see the guide \"Building the native library\""
  end
end
