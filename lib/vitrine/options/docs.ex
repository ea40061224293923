defmodule Vitrine.Options.Docs do
  @moduledoc false
  # The list of a schema's options as Markdown, for `@doc` and `@moduledoc`.

  alias Vitrine.Options.{Schema, Type}

  @doc "A list item for each option, under a heading of the third level for each group that has a title."
  @spec markdown(Schema.t()) :: String.t()
  def markdown(%Schema{options: options}) do
    options
    |> Enum.chunk_by(& &1.group)
    |> Enum.map_join("\n", fn [%{group: group} | _] = rows ->
      if(group, do: "### #{group}\n\n", else: "") <> Enum.map_join(rows, &item(&1, "  "))
    end)
  end

  defp item(option, indent) do
    type = if type = option.type_doc || Type.doc(option.type), do: " (#{type})", else: ""
    keys = if option.list_keys, do: option.keys
    its = if keys, do: " Its options:", else: ""
    [first | rest] = String.split(String.trim(option.doc) <> default(option) <> its, "\n")
    text = Enum.join([first | Enum.map(rest, &continued(&1, indent))], "\n")
    "#{indent}* `#{inspect(option.name)}`#{type} - #{text}\n#{keys(keys, indent)}"
  end

  defp continued("", _indent), do: ""
  defp continued(line, indent), do: "#{indent}  #{line}"

  defp keys(nil, _indent), do: ""

  defp keys(%Schema{options: options}, indent),
    do: "\n" <> Enum.map_join(options, &item(&1, indent <> "  ")) <> "\n"

  defp default(%{required: true}), do: " Required."
  defp default(%{default_doc: text}) when text != nil, do: " Default: #{text}."
  defp default(%{default: default, type: type}), do: " Default: #{value(default, type)}."

  @doc "A default as the docs show it: as code, and a number of bytes also in its usual unit."
  @spec value(term(), Type.t()) :: String.t()
  def value(number, {:integer, _from, options}) when is_integer(number) do
    code = "`#{number(number)}`"
    if options[:unit] == "bytes", do: code <> size(number), else: code
  end

  def value(value, _type), do: "`#{inspect(value)}`"

  @doc "A number as Elixir's formatter writes it."
  @spec number(non_neg_integer()) :: String.t()
  def number(number) when number < 10_000, do: Integer.to_string(number)

  def number(number) do
    number
    |> Integer.digits()
    |> Enum.reverse()
    |> Enum.chunk_every(3)
    |> Enum.map_join("_", &Enum.join/1)
    |> String.reverse()
  end

  defp size(bytes) when bytes >= 0x10_0000 and rem(bytes, 0x10_0000) == 0,
    do: " (#{div(bytes, 0x10_0000)} MiB)"

  defp size(bytes) when bytes >= 1024 and rem(bytes, 1024) == 0, do: " (#{div(bytes, 1024)} KiB)"
  defp size(_bytes), do: ""
end
