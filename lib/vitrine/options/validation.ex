defmodule Vitrine.Options.Validation do
  @moduledoc false
  # Options checked against a schema. A wrong option is a bug of the caller, and raises `ArgumentError`.

  alias Vitrine.Options.{Argument, Names, Schema, Type}
  alias Vitrine.Text.Printable

  @doc """
  The options with the defaults of the schema, as a map. `settings` are

    * `:of` - the option that these are inside of
    * `:defaults` - defaults that are known only now, instead of those of the schema
  """
  @spec validate!(term(), Schema.t(), of: atom(), defaults: keyword()) :: map()
  def validate!(options, schema, settings \\ []) do
    {options, []} = split!(options, schema, [], settings)
    options
  end

  @doc "The same beside other options, which are only named here and are answered as they are."
  @spec split!(term(), Schema.t(), [atom()], keyword()) :: {map(), keyword()}
  def split!(options, schema, others, settings \\ []) do
    of = settings[:of]
    defaults = defaults(schema, settings[:defaults])
    given = Names.validate!(options, defaults ++ others, of)
    {others, own} = Keyword.split(given, others)
    own = Map.new(own)
    defaults = Map.new(defaults)

    checked =
      for %{name: name} = option <- schema.options, into: %{} do
        {name, check!(option, Map.fetch!(own, name), Map.fetch!(defaults, name), options, of)}
      end

    {checked, others}
  end

  defp defaults(schema, nil), do: schema.defaults
  defp defaults(schema, known_now), do: Keyword.merge(schema.defaults, known_now)

  defp check!(%{required: true} = option, nil, _default, given, of),
    do: missing!(option, given, of)

  defp check!(%{type: :options} = option, value, default, _given, _of)
       when value != nil or default != nil,
       do: validate!(value, option.keys, of: option.name)

  # A default need not be of the type: `nil` stands for an option that is not given.
  defp check!(_option, default, default, _given, _of), do: default

  # What stands in other terms may be a secret.
  defp check!(%{type: :keyword} = option, value, _default, _given, of),
    do: Argument.keyword!(value, place(option, of))

  defp check!(option, value, _default, _given, of) do
    if Type.valid?(option.type, value), do: value, else: wrong_value!(option, value, of)
  end

  @doc "A value of one option, checked."
  @spec value!(Schema.t(), atom(), term()) :: term()
  def value!(schema, name, value) do
    option = Schema.fetch!(schema, name)
    check!(option, value, option.default, [{name, value}], nil)
  end

  defp missing!(option, given, of) do
    expected = Type.expected(option.type)

    cond do
      expected == nil -> raise ArgumentError, "the option #{place(option, of)} is missing"
      Keyword.has_key?(given, option.name) -> wrong_value!(option, nil, of)
      true -> raise ArgumentError, "the option #{place(option, of)} is missing: give #{expected}"
    end
  end

  @doc "Raises for a value that is not what its option should be, and says what that is."
  @spec wrong!(Schema.t(), atom(), term(), atom()) :: no_return()
  def wrong!(%Schema{} = schema, name, value, of \\ nil),
    do: schema |> Schema.fetch!(name) |> wrong_value!(value, of)

  defp wrong_value!(option, value, of) do
    raise ArgumentError,
          "expected #{place(option, of)} to be #{Type.expected(option.type)}, got: " <>
            Printable.term(value) <> Type.advice(option.type, value)
  end

  defp place(option, nil), do: inspect(option.name)
  defp place(option, of), do: "#{inspect(option.name)} of #{inspect(of)}"
end
