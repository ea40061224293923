defmodule Vitrine.Server.Vars do
  @moduledoc false
  # Variables that survive their server: where they come from when it starts, and that they are
  # saved when they have changed.

  require Logger

  alias Vitrine.{Error, Native}
  alias Vitrine.Server.VarsKeeper
  alias Vitrine.Text.Printable

  @doc "Gives a plugin the variables that are kept for it."
  def restore(nil, _plugin), do: :ok

  def restore({:memory, key}, plugin) do
    case VarsKeeper.claim(key, plugin.ref) do
      {:ok, nil} ->
        :ok

      {:ok, left} ->
        with :ok <- Vitrine.put_vars(plugin, Native.plugin_vars(left)),
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
        Vitrine.put_vars(plugin, vars)

      other ->
        raise ArgumentError,
              "expected #{inspect(module)}.load/1 to give a map of variables or nil, " <>
                "got: #{inspect(other, limit: 5, printable_limit: 50)}"
    end
  end

  @doc "Keeps them again, when the application is back that was stopped meanwhile."
  def reclaim({:memory, key}, plugin) do
    # What another server of the same name left is older.
    with {:ok, left} when left != nil <- VarsKeeper.claim(key, plugin.ref),
         do: VarsKeeper.hold(key, plugin.ref)
  catch
    # It is not there yet, or not any more.
    :exit, _reason -> Process.send_after(self(), {Vitrine.Process.Directory, :join}, 100)
  end

  def reclaim(_store, _plugin), do: :ok

  @doc "Tells that the variables are those of another plugin from now on."
  def replace({:memory, key}, plugin), do: VarsKeeper.hold(key, plugin.ref)
  def replace(_store, _plugin), do: :ok

  @doc "The number of the variables as they are, to know later whether they have changed."
  def version(plugin), do: Native.plugin_vars_version(plugin.ref)

  @doc "Whether there is a store, which has to be told."
  def saves?(store), do: store != nil and elem(store, 0) != :memory

  @doc "Saves the variables if they have changed since they were saved last; the number of that."
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
    case module.save(argument, Vitrine.vars(plugin)) do
      :ok -> true
      {:ok, _what} -> true
      other -> failed(plugin, "#{inspect(module)}.save/2 gave #{inspect(other)}")
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
