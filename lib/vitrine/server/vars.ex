defmodule Vitrine.Server.Vars do
  @moduledoc false
  # Variables that survive their server. They are restored when it starts, and saved when they have changed.

  require Logger

  alias Vitrine.{Error, Native, Plugin}
  alias Vitrine.Options.Argument
  alias Vitrine.Process.Directory
  alias Vitrine.Server.VarsKeeper
  alias Vitrine.Text.Printable

  @typedoc "The option `:restore_vars`, checked."
  @type store :: nil | {:memory, VarsKeeper.key()} | {module(), term()}

  @doc "Gives a plugin the variables that are kept for it."
  @spec restore(store(), Plugin.t()) :: :ok | {:error, Error.t()}
  def restore(nil, _plugin), do: :ok

  def restore({:memory, key}, plugin) do
    case VarsKeeper.claim(key, plugin.ref) do
      {:ok, nil} ->
        :ok

      {:ok, left} ->
        with :ok <- Plugin.put_vars(plugin, Native.plugin_vars(left)),
             do: VarsKeeper.hold(key, plugin.ref)

      {:error, :taken} ->
        message = "the variables of #{inspect(key)} belong to a server that is running"
        {:error, %Error{reason: :busy, plugin: plugin.name, message: message}}
    end
  end

  def restore({module, argument}, plugin) do
    case module.load(argument) do
      nil ->
        :ok

      vars when is_map(vars) and not is_struct(vars) ->
        Plugin.put_vars(plugin, Argument.vars!(vars))

      other ->
        raise ArgumentError,
              "expected #{inspect(module)}.load/1 to give a map of variables or nil, " <>
                "got: #{inspect(other, limit: 5, printable_limit: 50)}"
    end
  end

  @doc "Keeps the variables again, when the application was stopped and is back."
  @spec reclaim(store(), Plugin.t()) :: term()
  def reclaim({:memory, key}, plugin) do
    # The variables that another server of the same name left are older.
    with {:ok, left} when left != nil <- VarsKeeper.claim(key, plugin.ref),
         do: VarsKeeper.hold(key, plugin.ref)
  catch
    # The keeper has not started yet, or was stopped again.
    :exit, _reason -> Process.send_after(self(), {Directory, :join}, 100)
  end

  def reclaim(_store, _plugin), do: :ok

  @doc "Keeps the variables of another plugin from now on."
  @spec replace(store(), Plugin.t()) :: :ok
  def replace({:memory, key}, plugin), do: VarsKeeper.hold(key, plugin.ref)
  def replace(_store, _plugin), do: :ok

  @doc "Returns the number of changes to the variables, by which a later change is noticed."
  @spec version(Plugin.t()) :: non_neg_integer()
  def version(plugin), do: Native.plugin_vars_version(plugin.ref)

  @doc "Tells whether the variables are saved in a `Vitrine.Server.Store`."
  @spec saves?(store()) :: boolean()
  def saves?(store), do: store != nil and elem(store, 0) != :memory

  @doc """
  Saves the variables if they have changed since `saved`, the version that was saved last. Gives the version that is
  saved now.
  """
  @spec save(store(), Plugin.t(), non_neg_integer()) :: non_neg_integer()
  def save(store, plugin, saved) do
    if saves?(store), do: save_changed(store, plugin, saved), else: saved
  end

  defp save_changed({module, argument}, plugin, saved) do
    case version(plugin) do
      ^saved -> saved
      version -> if saved?(module, argument, plugin), do: version, else: saved
    end
  end

  defp saved?(module, argument, plugin) do
    case module.save(argument, Plugin.vars(plugin)) do
      :ok ->
        true

      {:ok, _what} ->
        true

      other ->
        failed(
          plugin,
          "#{inspect(module)}.save/2 must return :ok or {:ok, term}, returned: #{inspect(other)}"
        )
    end
  catch
    kind, reason -> failed(plugin, Exception.format(kind, reason, __STACKTRACE__))
  end

  defp failed(plugin, why) do
    Logger.error(
      "the variables of plugin #{Printable.quoted(plugin.name)} could not be saved: #{why}"
    )

    false
  end
end
