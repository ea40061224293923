defmodule Vitrine.Call.Options do
  @moduledoc false
  # Checks of the options and the input of a call. Calls are short, and these checks must be, too.

  alias Vitrine.Options.{Argument, Names, Schema, Tables, Type, Validation}
  alias Vitrine.Text.Printable

  # `:as` is taken out before.
  @call_options Schema.names(Tables.Call.schema()) -- [:as]

  @compile_options Schema.names(Tables.Plugin.schema()) -- [:context, :timeout]

  @timeout Type.timeout()

  @doc "The timeout of a call."
  @spec timeout!(term()) :: timeout()
  def timeout!(timeout) do
    if Type.valid?(@timeout, timeout),
      do: timeout,
      else: Validation.wrong!(Tables.Call.schema(), :timeout, timeout)
  end

  @doc "The options, but for `:as`, which is taken out before. Without a `:timeout` the call has the plugin's."
  @spec check!(keyword()) :: keyword()
  def check!([]), do: []

  def check!(options) do
    # Names says what is wrong, and is slower.
    case Keyword.validate(options, @call_options) do
      {:ok, options} -> options
      {:error, _wrong} -> Names.validate!(options, [:as | @call_options])
    end

    with {:ok, timeout} <- Keyword.fetch(options, :timeout), do: timeout!(timeout)
    if stdin = options[:stdin], do: Keyword.put(options, :stdin, stdin!(stdin)), else: options
  end

  @doc "Options of `Vitrine.compile/2`, and those of `Vitrine.run/4` that stand beside them."
  @spec split(keyword()) :: {keyword(), keyword()}
  def split(options), do: Keyword.split(options, @compile_options)

  defp stdin!(stdin), do: Argument.bytes!(stdin, "the option :stdin")

  @doc "The input of a call."
  @spec input!(term()) :: binary()
  def input!(input) when is_binary(input), do: input

  def input!(input) when is_list(input) do
    IO.iodata_to_binary(input)
  rescue
    ArgumentError -> no_input!(input)
  end

  def input!(other), do: no_input!(other)

  defp no_input!(other) do
    hint =
      if Keyword.keyword?(other),
        do: ~s|: options come after the input, as in call(plugin, "run", "", timeout: 100)|,
        else: ~s|; other terms need a codec, such as as: :json|

    raise ArgumentError,
          "expected the input to be a binary or iodata, got: #{Printable.term(other)}#{hint}"
  end
end
