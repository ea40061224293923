defmodule Vitrine.Call.Failure do
  @moduledoc false
  # Makes a `Vitrine.Error` of what the NIF answers instead of a result.

  alias Vitrine.Call.TimeSpent
  alias Vitrine.Error

  @typedoc """
  The NIF's report of a failure. The message of a call that ran out of time comes with what the time went into.
  """
  @type details ::
          {Error.reason(), String.t() | {String.t(), TimeSpent.t()}, integer() | nil,
           trap :: String.t() | nil, backtrace :: [tuple()]}

  @doc """
  Returns the error, with what else is known: the plugin's name and function and its `:host_functions`, which the
  message may name.

  The details of the failure of a host function (its reason, its message) do not apply to a call that ended for
  another reason before that failure could end it.
  """
  @spec error(details(), keyword()) :: Error.t()
  def error({reason, message, code, trap, backtrace}, known \\ []) do
    {functions, known} = Keyword.pop(known, :host_functions, {})

    known =
      if reason == :host_function,
        do: known,
        else: Keyword.drop(known, [:reason, :message, :raw])

    error = %Error{
      reason: reason,
      message: text(message, functions),
      code: code,
      trap: trap,
      backtrace: Enum.map(backtrace, &frame/1)
    }

    struct!(error, known)
  end

  @doc "Returns the answer of a NIF with its failure as an error."
  @spec result(result | {:error, details()}, keyword()) :: result | {:error, Error.t()}
        when result: :ok | {:ok, term()}
  def result({:error, details}, known), do: {:error, error(details, known)}
  def result(answer, _known), do: answer

  defp frame({function, index, offset, file, line, repeated}) do
    %{
      function: function,
      index: index,
      offset: offset,
      file: file,
      line: line,
      repeated: repeated
    }
  end

  defp text({message, spent}, functions), do: TimeSpent.message(message, spent, functions)
  defp text(message, _functions), do: message
end
