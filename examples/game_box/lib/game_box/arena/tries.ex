defmodule GameBox.Arena.Tries do
  @moduledoc """
  Limits how often a person may enter the code of an arena that does not exist, because a machine can try out four
  letters quickly, and how many arenas a person may open, because there are only so many.

  Tries are counted for a browser, which can forget its identity, and for an address, which many people may share.
  They are counted in spans of time of equal length. A try is paid for before its result is known, so that many
  concurrent tries cannot evade the limit. If it turns out that a try need not be counted, it is given back.
  """

  use GenServer

  alias GameBox.Limits

  @table __MODULE__

  @typedoc "A browser's secret id, and its address."
  @type who :: %{session: String.t(), peer: :inet.ip_address() | nil}

  @typedoc "A kind of try: to enter a code, or to open an arena."
  @type what :: :code | :arena

  @doc "Pays for a try, if the limit allows it."
  @spec pay(who(), what()) :: :ok | {:error, :too_many_tries}
  def pay(who, what) do
    if Enum.all?(count(who, what, 1)), do: :ok, else: {:error, :too_many_tries}
  end

  @doc "Gives back a try that need not be counted."
  @spec give_back(who(), what()) :: :ok
  def give_back(who, what) do
    count(who, what, -1)
    :ok
  end

  # Both counters are increased, even if one of them is over the limit.
  defp count(who, what, number) do
    for {kind, one} <- [session: who.session, peer: network(who.peer)], one != nil do
      key = {{what, kind}, one, span()}
      :ets.update_counter(@table, key, number, {key, 0}) <= limit(what, kind)
    end
  end

  defp limit(:code, :session), do: Limits.get(:tries)
  defp limit(:code, :peer), do: Limits.get(:tries_of_address)
  defp limit(:arena, :session), do: Limits.get(:openings)
  defp limit(:arena, :peer), do: Limits.get(:openings_of_address)

  # A person with one IPv6 address usually has 2^64 of them.
  defp network({a, b, c, d, _, _, _, _}), do: {a, b, c, d}
  defp network(address), do: address

  defp span, do: div(System.monotonic_time(:millisecond), Limits.get(:tries_span_ms))

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @impl true
  def init(nil) do
    :ets.new(@table, [:named_table, :public, write_concurrency: true])
    {:ok, nil, {:continue, :forget}}
  end

  @impl true
  def handle_continue(:forget, state), do: handle_info(:forget, state)

  @impl true
  def handle_info(:forget, state) do
    :ets.select_delete(@table, [{{{:_, :_, :"$1"}, :_}, [{:<, :"$1", span()}], [true]}])
    Process.send_after(self(), :forget, Limits.get(:tries_span_ms))
    {:noreply, state}
  end
end
