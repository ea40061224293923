defmodule Vitrine.Chaos do
  @moduledoc """
  Callers of the Rust guest that do everything that can go wrong, at random, and a tally of how they
  fared.
  """

  # Much more than anything here takes: what is tested is not the timeout, and machines are busy.
  @patience 60_000

  @kinds ~w(echo echo greet greet killed_in_host panic spin alloc_forever fail recurse missing)a

  @typedoc "A target of calls, and the reasons of errors that it may give besides those of the call itself."
  @type target :: %{callable: Vitrine.callable(), also: [Vitrine.Error.reason()]}

  @doc "A new tally."
  def tally, do: :ets.new(__MODULE__, [:public, write_concurrency: true])

  @doc "How many calls were answered, failed as they should, and were killed, in host functions or anywhere."
  def counts(tally) do
    Map.new([:answered, :failed, :killed, :killed_in_host], &{&1, count(tally, &1)})
  end

  @doc "Calls that came to what they must not come to."
  def wrongs(tally), do: :ets.match(tally, {{:wrong, :_}, :"$1"})

  @doc "Tokens with which a host function was called more than once."
  def repeated(tally),
    do: :ets.select(tally, [{{{:seen, :"$1"}, :"$2"}, [{:>, :"$2", 1}], [:"$1"]}])

  @doc """
  The host functions: `greet` does what the context says, in which its caller may be killed, and says the
  token back.
  """
  def host_functions, do: %{"greet" => &greet/2, "tick" => & &1}

  @doc "A context for `greet`: its work, the process that is told before that, and the tally that it is counted in."
  def context(options), do: Map.new([tally: nil, tell: nil] ++ options)

  defp greet(token, %{tally: tally, tell: tell, work: work}) do
    if tally, do: :ets.update_counter(tally, {:seen, token}, 1, {{:seen, token}, 0})
    if tell, do: send(tell, {:in_host, token})
    work.()
    token
  end

  @doc "Until then makes callers one after the other, and kills some of them."
  def callers(target, stop_at, tally) do
    unless over?(stop_at) do
      kind = Enum.random(@kinds)
      {token, results} = one_caller(target, kind, tally)
      note(tally, target, kind, token, results)
      callers(target, stop_at, tally)
    end
  end

  @doc "A process that lives, and calls again and again: nothing may keep it waiting for ever."
  def steady(target, stop_at, tally) do
    if over?(stop_at) do
      {:messages, []} = Process.info(self(), :messages)
    else
      token = inspect(make_ref())
      result = Vitrine.call(target.callable, "echo", token, timeout: @patience)
      note(tally, target, :echo, token, [result])
      # One that is refused at once would ask again at once.
      Process.sleep(1)
      steady(target, stop_at, tally)
    end
  end

  @doc "Whether it is later than that."
  def over?(stop_at), do: System.monotonic_time(:millisecond) >= stop_at

  defp one_caller(target, kind, tally) do
    me = self()
    token = inspect(make_ref())

    {pid, monitor} =
      spawn_monitor(fn -> send(me, {token, call(target, kind, token, me, tally)}) end)

    cond do
      kind == :killed_in_host -> kill_in_host(pid, token, monitor, tally)
      Enum.random(1..4) == 1 -> Process.sleep(Enum.random(0..8)) && Process.exit(pid, :kill)
      true -> :ok
    end

    receive do
      {:DOWN, ^monitor, _, _, _} -> {token, results(token)}
    end
  end

  defp kill_in_host(pid, token, monitor, tally) do
    receive do
      {:in_host, ^token} ->
        add(tally, :killed_in_host)
        Process.exit(pid, :kill)

      # It did not come to that, because it was refused.
      {:DOWN, ^monitor, _, _, _} = down ->
        send(self(), down)
    end
  end

  defp call(target, :killed_in_host, token, killer, tally) do
    context = context(tally: tally, tell: killer, work: fn -> Process.sleep(@patience) end)
    Vitrine.call(target.callable, "greet", token, timeout: 2 * @patience, context: context)
  end

  defp call(target, kind, token, _killer, tally) do
    timeout = if kind == :spin, do: Enum.random(1..30), else: @patience
    pause = Enum.random([0, 0, 1, 5])
    context = context(tally: tally, work: fn -> Process.sleep(pause) end)
    options = [timeout: timeout, context: context]
    Vitrine.call(target.callable, Atom.to_string(kind), token, options)
  end

  defp results(token) do
    receive do
      {^token, result} -> [result | results(token)]
    after
      0 -> []
    end
  end

  defp note(tally, target, kind, token, results) do
    case {kind, results} do
      {_, []} -> add(tally, :killed)
      {kind, [{:ok, ^token}]} when kind in [:echo, :greet] -> add(tally, :answered)
      {kind, [{:error, error}]} -> failed(tally, target, kind, error)
      {_, results} -> wrong(tally, target, kind, results)
    end
  end

  defp failed(tally, target, kind, error) do
    if error.reason in target.also or right?(kind, error.reason),
      do: add(tally, :failed),
      else: wrong(tally, target, kind, error)
  end

  # The other version has no function but echo.
  defp right?(kind, :function_not_found), do: kind != :echo
  defp right?(kind, :trap), do: kind in [:panic, :recurse, :alloc_forever]
  defp right?(:alloc_forever, :out_of_memory), do: true
  defp right?(:spin, :timeout), do: true
  defp right?(:fail, :guest_error), do: true
  defp right?(_kind, _reason), do: false

  defp wrong(tally, target, kind, what),
    do: :ets.insert(tally, {{:wrong, make_ref()}, {target.callable, kind, what}})

  defp add(tally, what), do: :ets.update_counter(tally, what, 1, {what, 0})

  defp count(tally, what) do
    case :ets.lookup(tally, what) do
      [{_, count}] -> count
      [] -> 0
    end
  end
end
