defmodule Vitrine.Process.Directory.Stranger do
  @moduledoc false
  # Finds the kind of a process that is not in the directory. It may be a server or a pool all the same, or something else, which
  # must not be sent a call.

  @doc "Returns the kind of a process of this node, by the function that it began with."
  @spec kind(pid() | atom()) :: :server | :pool | :gone | {:stranger, String.t()}
  def kind(name) when is_atom(name) do
    case Process.whereis(name) do
      pid when is_pid(pid) -> kind(pid)
      _port_or_nothing -> :gone
    end
  end

  def kind(pid) do
    case Process.info(pid, [:dictionary, :initial_call]) do
      nil -> :gone
      [dictionary: dictionary, initial_call: initial] -> by(dictionary[:"$initial_call"], initial)
    end
  end

  defp by({:supervisor, module, _}, _initial) when is_atom(module),
    do: {:stranger, "a supervisor, #{inspect(module)}"}

  # Servers and pools say what they are.
  defp by({module, :init, 1}, _initial) do
    if function_exported?(module, :__vitrine__, 0),
      do: module.__vitrine__(),
      else: {:stranger, "a process of #{inspect(module)}"}
  end

  defp by({module, function, arity}, _initial),
    do: {:stranger, "a process that runs #{Exception.format_mfa(module, function, arity)}"}

  defp by(nil, {:erlang, :apply, 2}), do: {:stranger, "a process that runs a function"}

  defp by(nil, {module, function, arity}),
    do: {:stranger, "a process that runs #{Exception.format_mfa(module, function, arity)}"}

  @doc "Raises that this is not what was expected."
  @spec refuse!(String.t(), term(), String.t()) :: no_return()
  def refuse!(expected, process, what) do
    raise ArgumentError, "expected #{expected}, got: #{inspect(process)}, which is #{what}"
  end
end
