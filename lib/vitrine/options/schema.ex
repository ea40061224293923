defmodule Vitrine.Options.Schema do
  @moduledoc false
  # Options as a table. Of each option it has the name, the type, the default, the group and the documentation.
  #
  # Three things come from a table: which options there are and what they may be (`Vitrine.Options.Validation`), what
  # errors say about names that are unknown (`Vitrine.Options.Names`), and the lists of options in the docs
  # (`Vitrine.Options.Docs`). The tables are data and import nothing that checks or uses options.

  alias Vitrine.Options.Type

  defmodule Option do
    @moduledoc false
    # One row. `default_doc` says in words a default that depends on something, or `nil`. `keys` is the schema of the
    # options inside this one, and `list_keys` whether the docs list them with it.

    @enforce_keys [:name, :type, :group, :doc]
    defstruct @enforce_keys ++
                [:default, :default_doc, :type_doc, :keys, list_keys: true, required: false]

    @type t :: %__MODULE__{
            name: atom(),
            type: Type.t(),
            group: String.t() | nil,
            doc: String.t(),
            default: term(),
            default_doc: String.t() | nil,
            type_doc: String.t() | nil,
            keys: Vitrine.Options.Schema.t() | nil,
            list_keys: boolean(),
            required: boolean()
          }
  end

  # Besides the rows in their order: the same by their names, all names, those of needed options, and the defaults as
  # validation gives them.
  @enforce_keys [:options, :rows, :names, :required, :defaults]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          options: [Option.t()],
          rows: %{atom() => Option.t()},
          names: [atom()],
          required: [atom()],
          defaults: map()
        }

  @doc """
  A schema of groups. A group is a title, which is a heading in the docs, and rows by their names. A group whose title
  is `nil` has no heading.
  """
  @spec new([{String.t() | nil, [{atom(), keyword()}]}]) :: t()
  def new(groups) do
    options =
      for {group, rows} <- groups, {name, row} <- rows, do: option!(name, [group: group] ++ row)

    %__MODULE__{
      options: options,
      rows: Map.new(options, &{&1.name, &1}),
      names: Enum.map(options, & &1.name),
      required: for(%{required: true, name: name} <- options, do: name),
      defaults: Map.new(options, &{&1.name, default_of(&1)})
    }
  end

  defp option!(name, row) do
    option = struct!(Option, [name: name] ++ row)

    if not option.required and option.default == nil and option.default_doc == nil do
      raise ArgumentError,
            "expected the row #{inspect(name)} to have a default, or to say in words what holds without one"
    end

    option
  end

  defp default_of(%{type: :options, default: default, keys: keys}) when default != nil,
    do: keys.defaults

  defp default_of(option), do: option.default

  @doc "The names of the options, in the order of the table."
  @spec names(t()) :: [atom()]
  def names(%__MODULE__{names: names}), do: names

  @doc "The default of an option."
  @spec default(t(), atom()) :: term()
  def default(%__MODULE__{defaults: defaults}, name), do: Map.fetch!(defaults, name)

  @doc "The row of an option."
  @spec fetch!(t(), atom()) :: Option.t()
  def fetch!(%__MODULE__{rows: rows}, name), do: Map.fetch!(rows, name)
end
