defmodule Vitrine.Loader.Instance do
  @moduledoc false
  # From a compiled plugin to one that can be called.

  alias Vitrine.{Compiled, Error, Native, Plugin}
  alias Vitrine.Call.{Failure, Frame, Loop}

  @doc "Returns a plugin with its instance, which is made within this time. It belongs to the process `owner`."
  @spec make(Compiled.t(), timeout(), pid()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def make(compiled, timeout, owner \\ self()) do
    with {:ok, plugin} <- bind(compiled, owner),
         frame = Frame.new(plugin, nil, compiled.settings.context),
         {:ok, _} <- Loop.initialise(frame, timeout),
         do: {:ok, plugin}
  end

  @doc "Returns a plugin without an instance. Its first call makes one."
  @spec bind(Compiled.t(), pid()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def bind(%Compiled{settings: settings, vars: vars} = compiled, owner \\ self()) do
    with {:ok, ref} <- native(new(compiled.ref, settings), compiled.name),
         :ok <- put_vars(ref, vars, compiled.name) do
      Native.plugin_list(ref, compiled.name, compiled.hash, owner)

      {:ok,
       %Plugin{
         name: compiled.name,
         hash: compiled.hash,
         ref: ref,
         host_functions: List.to_tuple(settings.host_functions),
         timeout: settings.timeout,
         timeout_from: settings.timeout_from,
         scheduler: settings.scheduler,
         http: settings.http,
         logs?: compiled.interface.logs?,
         log_level: settings.log_level,
         print_levels: settings.print_levels,
         wasi?: settings.wasi != nil
       }}
    end
  end

  defp new(links, %{bulky?: true, terms: terms}), do: Native.plugin_new_dirty(links, terms)
  defp new(links, %{terms: terms}), do: Native.plugin_new(links, terms)

  defp put_vars(_ref, vars, _name) when vars == %{}, do: :ok
  defp put_vars(ref, vars, name), do: native(Native.plugin_put_vars(ref, Map.to_list(vars)), name)

  defp native(answer, name), do: Failure.result(answer, plugin: name)
end
