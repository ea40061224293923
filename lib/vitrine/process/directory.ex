defmodule Vitrine.Process.Directory do
  @moduledoc false
  # The servers and pools of this node, by their pids, so that a caller finds what it calls without a message to
  # anybody, and that what is neither is not sent what it does not know. They put themselves in; this process takes
  # out those that are gone.
  #
  # The table goes with the application. Servers and pools that outlive that are told to put themselves in again when
  # it is back; a pool that is called before is asked to.

  use GenServer

  alias Vitrine.Pool.Slots
  alias Vitrine.Process.Directory.{Remote, Stranger}
  alias Vitrine.Text.Printable

  @table __MODULE__

  # Who was in the table when the application was stopped.
  @outlived {__MODULE__, :outlived}

  # Bytes of a label.
  @label 100

  # How often to look whether the application is back, in milliseconds.
  @absence 100

  @typedoc "What is known of a server. `past` are calls and fuel of the versions before this one."
  @type server :: %{
          label: String.t(),
          plugin: String.t() | nil,
          hash: String.t() | nil,
          starter: pid() | nil,
          since: integer(),
          past: {calls :: non_neg_integer(), fuel :: non_neg_integer()}
        }

  @type entry :: Slots.t() | server()

  @doc "Creates the table, which belongs to the process that does."
  def create do
    # To find a table by its name takes longer than what is looked up in it for every call.
    :persistent_term.put(@table, :ets.new(@table, [:public, read_concurrency: true]))
  end

  @doc "Remembers who is in the table, which is about to go with the application."
  @spec remember() :: :ok
  def remember, do: :persistent_term.put(@outlived, for({pid, _entry} <- all(), do: pid))

  @doc false
  def table, do: :persistent_term.get(@table)

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc "Puts the calling process in, now or when the application runs: then `{Vitrine.Process.Directory, :join}` tells it."
  @spec join(entry()) :: boolean()
  def join(entry) do
    joined? = put(entry)
    unless joined?, do: Process.send_after(self(), {__MODULE__, :join}, @absence)
    joined?
  end

  @doc "Puts the calling process in, or changes its entry, if the application runs."
  @spec put(entry()) :: boolean()
  def put(entry) do
    :ets.insert(table(), {self(), entry})
    # If this process is being restarted, it finds the entry in the table.
    GenServer.cast(__MODULE__, {:monitor, self()})
    true
  rescue
    # The table is gone, or was never there.
    ArgumentError -> false
  end

  @doc "Takes a process out: new calls do not find it any more."
  @spec delete(pid()) :: boolean()
  def delete(pid) do
    :ets.delete(table(), pid)
  rescue
    ArgumentError -> false
  end

  @doc "The name of a process as a tag of metrics: always printable, and short."
  @spec label(GenServer.name() | nil) :: String.t()
  def label(nil), do: inspect(self())
  def label({:global, name}), do: label(name)
  def label({:via, _module, name}), do: label(name)
  def label(name) when is_binary(name), do: Printable.text(name, @label)
  def label(name), do: name |> inspect(limit: 5) |> Printable.text(@label)

  @doc "The process that started the calling one."
  @spec starter() :: pid() | nil
  def starter do
    case Process.get(:"$ancestors") do
      [name | _] when is_atom(name) -> Process.whereis(name)
      [pid | _] -> pid
      _none -> nil
    end
  end

  @doc """
  What is called, by a pid or a name: an entry; `:unknown` for a pool that is not in the table yet, or not any more;
  `nil` for a server of which that is true, for what runs on another node, and for what does not run. Raises
  `ArgumentError` if it is something else.
  """
  @spec find!(GenServer.server(), String.t()) :: entry() | {:unknown, pid()} | nil
  def find!(server, expected \\ "a plugin, a server or a pool")

  def find!(pid, expected) when is_pid(pid) and node(pid) == node() do
    case lookup(pid) do
      nil -> unlisted(pid, pid, expected)
      entry -> entry
    end
  end

  def find!(pid, expected) when is_pid(pid), do: elsewhere(pid, node(pid), expected)

  def find!(name, expected) do
    case GenServer.whereis(name) do
      nil -> nil
      {_name, node} = process -> elsewhere(process, node, expected)
      pid when node(pid) != node() -> elsewhere(pid, node(pid), expected)
      pid -> lookup(pid) || unlisted(pid, name, expected)
    end
  end

  @doc "The entry of a process of this node, or `nil`."
  @spec lookup(pid()) :: entry() | nil
  def lookup(pid) do
    case :ets.lookup(table(), pid) do
      [{_, entry}] -> entry
      [] -> nil
    end
  rescue
    ArgumentError -> not_started!()
  end

  @doc "All servers and pools of this node."
  @spec all() :: [{pid(), entry()}]
  def all do
    for {pid, entry} when is_pid(pid) <- :ets.tab2list(table()), do: {pid, entry}
  rescue
    ArgumentError -> not_started!()
  end

  defp unlisted(pid, name, expected) do
    case Stranger.kind(pid) do
      :pool -> {:unknown, pid}
      {:stranger, what} -> Stranger.refuse!(expected, name, what)
      _server_or_gone -> nil
    end
  end

  defp elsewhere(process, node, expected) do
    case Remote.kind(process, node) do
      {:stranger, what} -> Stranger.refuse!(expected, process, what)
      _known_or_out_of_reach -> nil
    end
  end

  @doc false
  def not_started! do
    raise "the application :vitrine is not started: Application.ensure_all_started(:vitrine) does that"
  end

  @impl true
  def init(nil) do
    for {key, _entry} <- :ets.tab2list(table()), do: watch(key)
    for pid <- :persistent_term.get(@outlived, []), do: send(pid, {__MODULE__, :join})
    :persistent_term.erase(@outlived)
    {:ok, nil}
  end

  @impl true
  def handle_cast({:monitor, key}, state) do
    watch(key)
    {:noreply, state}
  end

  defp watch({:remote, process}), do: Process.monitor(process)
  defp watch(pid), do: Process.monitor(pid)

  @impl true
  def handle_info({:DOWN, _, :process, process, _}, state) do
    delete(process)
    Remote.forget(process)
    {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}
end
