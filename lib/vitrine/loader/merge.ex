defmodule Vitrine.Loader.Merge do
  @moduledoc false
  # Merges options over those of a compiled plugin. What was compiled stays as it is, so options that change the code or
  # the imports must be the same as before.

  alias Vitrine.{Compiled, Error, HostFunction, Wasi}
  alias Vitrine.Loader.{Ceiling, Contract, Settings}

  @doc """
  Returns the compiled plugin with the options. Raises `ArgumentError` for an option that must stay the same and does
  not.
  """
  @spec merge!(Compiled.t(), keyword()) :: {:ok, Compiled.t()} | {:error, Error.t()}
  def merge!(compiled, []), do: {:ok, compiled}

  def merge!(compiled, options) do
    merged = Keyword.merge(compiled.options, options)

    with {:ok, manifest} <- Ceiling.narrow(compiled.manifest, merged[:ceiling]),
         settings = Settings.check!(merged, manifest),
         name = settings.name || compiled.name,
         :ok <- Wasi.check(%{settings | name: name}, merged),
         :ok <- same!(compiled, settings),
         :ok <- Contract.check(settings.requires, compiled.interface, settings.wasi != nil, name),
         :ok <- HostFunction.check(settings.host_functions, compiled.interface, name) do
      {:ok, %{compiled | name: name, manifest: manifest, options: merged, settings: settings}}
    end
  end

  defp same!(compiled, settings) do
    same_code!(compiled, settings.compile)
    same_imports!(compiled, settings)
    same_snapshot!(compiled, settings)
    :ok
  end

  defp same_code!(%{settings: %{compile: compile}}, compile), do: :ok

  defp same_code!(compiled, compile) do
    {key, was} = Enum.find(compiled.settings.compile, fn {key, was} -> compile[key] != was end)
    option = Map.get(%{debug: :debug_info, dense: :memory_layout}, key, key)

    differs!(
      compiled,
      option,
      shown(option, was),
      "changes the code that is generated"
    )
  end

  defp shown(option, true) when option in [:fuel, :coredump], do: "given"
  defp shown(option, false) when option in [:fuel, :coredump], do: "left out"
  defp shown(:memory_layout, dense?), do: if(dense?, do: ":dense", else: ":fast")
  defp shown(_option, value), do: inspect(value)

  defp same_imports!(%{settings: was} = compiled, settings) do
    if was.wasi == nil != (settings.wasi == nil) do
      expected = if was.wasi, do: "true or a keyword list", else: "false"
      differs!(compiled, :wasi, expected, "changes what the plugin may import")
    end

    was = signatures(was.host_functions)

    if signatures(settings.host_functions) != was do
      differs!(
        compiled,
        :host_functions,
        "functions of the same names and types, #{inspect(was)}",
        "is linked when a plugin is compiled, and only what the functions do may differ"
      )
    end
  end

  defp same_snapshot!(%{settings: was} = compiled, settings) do
    if settings.snapshot != was.snapshot do
      differs!(compiled, :snapshot, inspect(was.snapshot), "is taken when a plugin is compiled")
    end

    # A guest remembers the descriptors of its directories from its initialisation.
    if was.snapshot != false and was.wasi != nil do
      paths = Wasi.guest_paths(was.wasi)

      if Wasi.guest_paths(settings.wasi) != paths do
        expected = "directories that the guest finds at #{inspect(paths)}"
        differs!(compiled, :allowed_paths, expected, "is in the memory of the snapshot")
      end
    end
  end

  defp signatures(functions),
    do: for(f <- functions, do: {f.namespace, f.name, Settings.types(f)})

  defp differs!(compiled, option, expected, why) do
    raise ArgumentError,
          "expected the option #{inspect(option)} to be #{expected}, as when " <>
            "#{inspect(compiled)} was compiled: it #{why}. Give it to Vitrine.compile/2"
  end
end
