defmodule Vitrine.Error.TableTest do
  # The text of every error that a user can meet: the table is in test/support/error_table.
  use ExUnit.Case, async: true

  alias Vitrine.{Error, ErrorTable}

  @moduletag :capture_log

  # Messages of plugins and of Extism in their own words.
  @words_of_others [
    "no such user",
    "no more cheese",
    "Returned non-zero",
    "Variable store is full",
    "Vars are",
    "Duplicate module name"
  ]

  if System.get_env("VITRINE_ERRORS") do
    setup_all do
      IO.puts(ErrorTable.text())
    end
  end

  for {reason, rows} <- Enum.group_by(ErrorTable.rows() ++ ErrorTable.arguments(), &elem(&1, 1)) do
    describe "#{inspect(reason)}:" do
      for {situation, _reason, _message, _make} <- rows do
        test situation do
          {_, reason, message, make} = row(unquote(reason), unquote(situation))
          {found, told} = outcome(make)

          assert {found, told} ==
                   {reason, if(ErrorTable.matches?(told, message), do: told, else: message)}

          assert_helps(told)
        end
      end
    end
  end

  test "every reason that an error can have is in the table" do
    {:ok, types} = Code.Typespec.fetch_types(Error)

    {_, {:reason, {:type, _, :union, atoms}, []}} =
      Enum.find(types, &match?({_, {:reason, _, _}}, &1))

    there = MapSet.new(for {_, reason, _, _} <- ErrorTable.rows(), do: reason)
    assert MapSet.new(atoms, fn {:atom, _, reason} -> reason end) == there
  end

  defp row(reason, situation) do
    Enum.find(
      ErrorTable.rows() ++ ErrorTable.arguments(),
      &match?({^situation, ^reason, _, _}, &1)
    )
  end

  defp outcome(make) do
    case make.() do
      {:error, %Error{reason: reason, message: message}} -> {reason, message}
    end
  rescue
    error in ArgumentError -> {ArgumentError, Exception.message(error)}
  end

  # One line that begins in lower case and has no full stop at its end, whoever chose what it shows.
  defp assert_helps(message) do
    refute message =~ ~r/[\x00-\x1F\x7F]/
    refute message =~ ~r/\.\z/

    unless String.starts_with?(message, ["HTTP" | @words_of_others]),
      do: refute(message =~ ~r/\A\p{Lu}/u)

    refute message =~ ~r/(?<!there) (is|are) no [a-zA-Z]/
  end
end
