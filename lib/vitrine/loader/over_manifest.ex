defmodule Vitrine.Loader.OverManifest do
  @moduledoc false
  # The options that are merged over what a manifest says. A wrong one raises `ArgumentError`.

  alias Vitrine.Manifest.{Check, Fault}
  alias Vitrine.Options.{Argument, Names, Schema}
  alias Vitrine.Options.Tables.Inside
  alias Vitrine.Text.Printable

  @doc "The option `:config`, merged over the configuration."
  @spec config!(term(), config) :: config when config: %{optional(String.t()) => String.t()}
  def config!(config, of_manifest) do
    pairs = Argument.pairs!(config, ":config to be a map of strings")
    Map.merge(of_manifest, checked!(Check.config(Map.new(pairs))))
  end

  @doc "The option `:memory`, merged over the limits."
  @spec memory!(term(), map()) :: map()
  def memory!(limits, of_manifest) do
    limits = if Keyword.keyword?(limits), do: Map.new(limits), else: limits
    pairs = Argument.pairs!(limits, ":memory to be a map or a keyword list of limits")
    if Keyword.keyword?(pairs), do: Names.validate!(pairs, Schema.names(Inside.memory()), :memory)
    checked!(Check.memory(Map.new(pairs), of_manifest))
  end

  @doc """
  The option `:allowed_paths`, merged over the directories. Whoever loads a manifest can take away what it asks for: one
  directory, or all of them.
  """
  @spec allowed_paths!(term(), paths) :: paths when paths: %{optional(String.t()) => String.t()}
  def allowed_paths!(nil, of_manifest), do: of_manifest
  def allowed_paths!(none, _of_manifest) when none == %{}, do: %{}

  def allowed_paths!(%{} = paths, of_manifest) when not is_struct(paths) do
    {withdrawn, paths} = Enum.split_with(paths, &match?({_host, nil}, &1))
    withdrawn = for {host, nil} <- withdrawn, is_binary(host), do: directory(host)

    of_manifest
    |> Map.reject(fn {host, _guest} -> directory(host) in withdrawn end)
    |> Map.merge(checked!(Check.allowed_paths(Map.new(paths))))
    |> each_at_its_own!()
  end

  def allowed_paths!(other, _of_manifest), do: checked!(Check.allowed_paths(other))

  defp directory("ro:" <> host), do: Path.expand(host)
  defp directory(host), do: Path.expand(host)

  defp each_at_its_own!(paths) do
    with {one, other, guest} <- Check.same_guest_path(paths) do
      raise ArgumentError,
            "the option :allowed_paths and the manifest's grant two directories as " <>
              "#{Printable.term(guest)}: #{Printable.term(one)} and #{Printable.term(other)}; give each a path of its own"
    end

    paths
  end

  defp checked!({:ok, value}), do: value

  defp checked!({:error, {path, text}}),
    do: raise(ArgumentError, "the option #{Fault.path(path)} #{text}")
end
