defmodule Vitrine.Pieces do
  @moduledoc """
  How long work holds its scheduler: the emulator says so of each piece between two of its turns that takes a
  millisecond or more. It has one such observer, so tests that use this are not async.
  """

  @doc "The longest piece of a function in milliseconds. Its result is dropped: to send it would be a piece, too."
  def longest(work) do
    caller = self()
    ref = make_ref()

    {pid, monitor} =
      spawn_monitor(fn ->
        receive do: (:go -> work.())
        send(caller, ref)
      end)

    :erlang.system_monitor(self(), [{:long_schedule, 1}])
    send(pid, :go)

    receive do
      ^ref -> receive do: ({:DOWN, ^monitor, _, _, _} -> :ok)
      {:DOWN, ^monitor, _, _, reason} -> exit(reason)
    end

    :erlang.system_monitor(:undefined)
    drain(pid, 0)
  end

  defp drain(pid, longest) do
    receive do
      {:monitor, ^pid, :long_schedule, [{:timeout, time} | _]} -> drain(pid, max(longest, time))
      {:monitor, _other, :long_schedule, _} -> drain(pid, longest)
    after
      0 -> longest
    end
  end
end
