defmodule GameBox.Arena.Tries do
  @moduledoc """
  How often somebody may name an arena that there is not, as four letters are soon tried out by a machine,
  and how many they may open, as there are only so many.

  It is counted for a browser, which can forget who it is, and for an address, which many people may
  share, in spans of time of one length. A try is paid for before it is known what it comes to, so that many
  at once are no way around it; what it was not needed for is given back.
  """

  use GenServer

  alias GameBox.Limits

  @table __MODULE__

  @typedoc "A browser's secret id, and the address that it is at."
  @type who :: %{session: String.t(), peer: :inet.ip_address() | nil}

  @typedoc "What is tried: a code, or to open an arena."
  @type what :: :code | :arena

  @doc "Pays for a try, if that is possible."
  @spec pay(who(), what()) :: :ok | {:error, :too_many_tries}
  def pay(who, what) do
    if Enum.all?(count(who, what, 1)), do: :ok, else: {:error, :too_many_tries}
  end

  @doc "Gives a try back that was none."
  @spec give_back(who(), what()) :: :ok
  def give_back(who, what) do
    count(who, what, -1)
    :ok
  end

  # Each one is counted, whether another one is over the limit or not.
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

  # Whoever has one address of IPv6 has 2^64.
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
