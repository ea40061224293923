defmodule Vitrine.Options.Places do
  @moduledoc false
  # The places of options, for errors about an option in the wrong place: the tables, by the names of their options.

  alias Vitrine.Options.Schema
  alias Vitrine.Options.Tables.{Call, Plugin, Pool, Server}

  @plugin Plugin.schema()
  @of_new Schema.names(@plugin)

  # The options of a manifest and of Vitrine.trace/4, which have no tables.
  @others %{
    timeout_ms: {nil, "timeout: …"},
    max_events: {nil, "max_events: … of Vitrine.trace/4"}
  }

  @of_processes Enum.concat(
                  for(name <- Schema.names(Pool.schema()), do: {name, "Vitrine.Pool"}),
                  for(name <- Schema.names(Server.schema()), do: {name, "Vitrine.Server"})
                )
                |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))
                |> Map.new(fn {name, modules} ->
                  {name, {nil, "#{name}: … of #{Enum.join(modules, " and ")}"}}
                end)

  @of_calls Map.new(Schema.names(Call.schema()), &{&1, {nil, "#{&1}: … of Vitrine.call/4"}})

  @of_plugins Map.new(@of_new, &{&1, {nil, "#{&1}: … of Vitrine.new/2"}})

  # An option of Vitrine.new/2 is meant as such, though `:ceiling` has some of the same names.
  @inside for(
            %{name: inside, keys: keys} when keys != nil <- @plugin.options,
            name <- Schema.names(keys) -- @of_new,
            into: %{},
            do: {name, {inside, "#{inside}: [#{name}: …]"}}
          )

  @of_plugins_and_calls Enum.reduce(
                          [@of_plugins, @inside, @others],
                          @of_calls,
                          &Map.merge(&2, &1)
                        )

  @all Map.merge(@of_processes, @of_plugins_and_calls)

  @names Map.keys(@of_plugins_and_calls)

  @doc "The option that each is inside of, if it is inside of one, and how it is written there."
  @spec all() :: %{atom() => {atom(), String.t()}}
  def all, do: @all

  @doc """
  The names among them that a misspelt one may mean. Those of processes are too many, and too short, to be guessed.
  """
  @spec names() :: [atom()]
  def names, do: @names
end
