defmodule Vitrine.Options.Validation do
  @moduledoc false
  # Options checked against a schema. A wrong option is a bug of the caller, and raises `ArgumentError`.

  alias Vitrine.Options.{Argument, Names, Schema, Type}
  alias Vitrine.Text.Printable

  @doc """
  The options with the defaults of the schema, as a map. `settings` are

    * `:of` - the option that these are inside of
    * `:defaults` - a map of defaults that are known only now, instead of those of the schema
  """
  @spec validate!(term(), Schema.t(), of: atom(), defaults: map()) :: map()
  def validate!(options, schema, settings \\ []) do
    of = settings[:of]
    options |> Names.validate!(schema.names, of) |> checked!(schema, settings[:defaults], of)
  end

  @doc "The same beside other options, which are only named here and are answered as they are."
  @spec split!(term(), Schema.t(), [atom()]) :: {map(), keyword()}
  def split!(options, schema, others) do
    {others, own} = options |> Names.validate!(schema.names ++ others) |> Keyword.split(others)

    {checked!(own, schema, nil, nil), others}
  end

  # A default is not checked: only what was given is.
  defp checked!(given, schema, known_now, of) do
    defaults = if known_now, do: Map.merge(schema.defaults, known_now), else: schema.defaults

    checked =
      Enum.reduce(given, defaults, fn {name, value}, checked ->
        %{checked | name => check!(schema.rows[name], value, defaults[name], of)}
      end)

    for name <- schema.required, checked[name] == nil, do: missing!(schema.rows[name], of)
    checked
  end

  # The default need not be of the type: `nil` stands for an option that is not given.
  defp check!(%{required: false}, default, default, _of), do: default

  defp check!(%{type: :options} = option, value, _default, _of),
    do: validate!(value, option.keys, of: option.name)

  # A term that is not a keyword list may contain a secret, so the error does not show it.
  defp check!(%{type: :keyword} = option, value, _default, of),
    do: Argument.keyword!(value, place(option, of))

  defp check!(option, value, _default, of) do
    if Type.valid?(option.type, value), do: value, else: wrong_value!(option, value, of)
  end

  @doc "A value of one option, checked."
  @spec value!(Schema.t(), atom(), term()) :: term()
  def value!(schema, name, value),
    do: schema |> Schema.fetch!(name) |> check!(value, Schema.default(schema, name), nil)

  defp missing!(option, of) do
    give = if expected = Type.expected(option.type), do: ": give #{expected}", else: ""
    raise ArgumentError, "the option #{place(option, of)} is missing#{give}"
  end

  @doc "Raises for a value that is not what its option should be, and says what that is."
  @spec wrong!(Schema.t(), atom(), term()) :: no_return()
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
