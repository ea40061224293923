defmodule Vitrine.Options.Type do
  @moduledoc false
  # The types of options: which values are of a type, and how errors and docs describe it.

  alias Vitrine.Text.Nearest

  # The longest that a process can wait in `receive`, in milliseconds.
  @max_timeout 0xFFFF_FFFF

  # About the longest that a timer of the BEAM can run, in milliseconds. It is 34 years.
  @max_timer 0xFF_FFFF_FFFF

  # A bound above this tells a reader of the docs nothing.
  @worth_telling 0xFFFF

  @typedoc """
  `:checked` is a type that needs more than the value, such as the manifest: whoever owns the options checks it.
  `:options` is a keyword list with a schema of its own. Functions are named ones, so that a schema can be a literal.
  """
  @type t ::
          :any
          | :boolean
          | :keyword
          | :options
          | {:in, [term(), ...]}
          | {:list_in, [term(), ...]}
          | {:integer, from :: integer(), [integer_option()]}
          | {:is, (term() -> boolean()), expected :: String.t()}
          | {:checked, expected :: String.t()}

  @typedoc "The largest value, the unit, and what an integer can be replaced by."
  @type integer_option :: {:to, integer()} | {:unit, String.t()} | {:or, [atom()]}

  @doc "The type of a time that a process waits, from this number of milliseconds on, or one of these atoms."
  @spec timeout(non_neg_integer(), [atom()]) :: t()
  def timeout(from \\ 0, other \\ [:infinity]), do: milliseconds(from, @max_timeout, other)

  @doc "The longest time that a process can wait, in milliseconds."
  @spec max_timeout() :: pos_integer()
  def max_timeout, do: @max_timeout

  @doc "The type of a time after which a timer sends a message, in the same form."
  @spec timer(non_neg_integer(), [atom()]) :: t()
  def timer(from, other \\ [:infinity]), do: milliseconds(from, @max_timer, other)

  defp milliseconds(from, to, []), do: {:integer, from, to: to, unit: "milliseconds"}

  defp milliseconds(from, to, other),
    do: {:integer, from, to: to, unit: "milliseconds", or: other}

  @doc "Whether a value is of the type."
  @spec valid?(t(), term()) :: boolean()
  def valid?(:boolean, value), do: is_boolean(value)
  def valid?(:keyword, value), do: Keyword.keyword?(value)
  def valid?({:in, values}, value), do: value in values
  def valid?({:list_in, values}, list), do: proper?(list) and Enum.all?(list, &(&1 in values))
  def valid?({:is, predicate, _expected}, value), do: predicate.(value)

  def valid?({:integer, from, options}, value) when is_integer(value),
    do: value >= from and value <= Keyword.get(options, :to, value)

  def valid?({:integer, _from, options}, value), do: value in Keyword.get(options, :or, [])
  def valid?(_unchecked, _value), do: true

  defp proper?(list), do: is_list(list) and not List.improper?(list)

  @doc "Returns what a value should be, for an error."
  @spec expected(t()) :: String.t() | nil
  def expected(:any), do: nil
  def expected(:boolean), do: "true or false"
  def expected(list) when list in [:keyword, :options], do: "a keyword list"
  def expected({:in, values}), do: alternatives(values, &inspect/1)
  def expected({:list_in, values}), do: "a list of " <> Enum.join(values, ", ")
  def expected({:is, _predicate, expected}), do: expected
  def expected({:checked, expected}), do: expected

  def expected({:integer, from, options}) do
    to = if to = options[:to], do: "to #{to}", else: "on"
    integer("from #{from} #{to}", options, &inspect/1)
  end

  @doc "Returns what a value should be, for the docs."
  @spec doc(t()) :: String.t() | nil
  def doc(:boolean), do: "`true` or `false`"
  def doc({:in, values}), do: alternatives(values, &code/1)
  def doc({:list_in, _values}), do: "a list of strings"

  def doc({:integer, from, options}) do
    range =
      case options[:to] do
        to when is_integer(to) and to <= @worth_telling -> "from #{from} to #{to}"
        _large -> unless options[:unit], do: "from #{from} on"
      end

    integer(range, options, &code/1)
  end

  def doc(type), do: expected(type)

  defp integer(range, options, show) do
    unit = options[:unit]
    other = if values = options[:or], do: "or " <> Enum.map_join(values, " or ", show)

    [unit || "an integer", range, other]
    |> Enum.reject(&is_nil/1)
    |> Enum.join(if(unit && range, do: ", ", else: " "))
  end

  defp alternatives(values, show) do
    {most, [last]} = values |> Enum.map(show) |> Enum.split(-1)
    Enum.join(most, ", ") <> " or " <> last
  end

  defp code(value), do: "`#{inspect(value)}`"

  @doc "Returns a hint at the value that is meant by a wrong one, as the end of an error."
  @spec advice(t(), term()) :: String.t()
  def advice({:in, values}, value), do: Nearest.advice(value, values)
  def advice({:integer, _, options}, value), do: Nearest.advice(value, options[:or] || [])

  def advice({:list_in, values}, list) do
    wrong = if proper?(list), do: Enum.find(list, &(&1 not in values)), else: list
    Nearest.advice(wrong, values)
  end

  def advice(_type, _value), do: ""
end
