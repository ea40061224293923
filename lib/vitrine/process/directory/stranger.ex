defmodule Vitrine.Process.Directory.Stranger do
  @moduledoc false
  # What a process is that is not in the directory: a server or a pool all the same, or something else, which must
  # not be sent a call.

  @doc "What a process of this node is, as far as it tells by itself."
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

  defp by({Vitrine.Server, :init, 1}, _initial), do: :server
  defp by({Vitrine.Pool.Server, :init, 1}, _initial), do: :pool

  defp by({:supervisor, module, _}, _initial) when is_atom(module),
    do: {:stranger, "a supervisor, #{inspect(module)}"}

  defp by({module, :init, 1}, _initial), do: {:stranger, "a process of #{inspect(module)}"}

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
