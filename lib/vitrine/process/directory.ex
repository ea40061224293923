defmodule Vitrine.Process.Directory do
  @moduledoc false
  # Keeps the servers and pools of this node, by their pids. Callers find what they call without sending a message, and
  # processes that are neither a server nor a pool are not sent a call, which they would not understand. Servers and
  # pools put themselves in. This process removes those that have ended.
  #
  # The table goes with the application. Servers and pools that outlive the application are told to put themselves in
  # again when it is back. A pool that is called before that is asked to.

  use GenServer

  alias Vitrine.Process.Directory.{Remote, Stranger}
  alias Vitrine.Text.Printable

  @table __MODULE__

  # The processes that were in the table when the application was stopped.
  @outlived {__MODULE__, :outlived}

  # The most bytes of a label.
  @label 100

  # How often to look whether the application is back, in milliseconds.
  @retry 100

  @typedoc "The directory's data of a server. `past` has the calls and the fuel of the versions before this one."
  @type server :: %{
          label: String.t(),
          plugin: String.t() | nil,
          hash: String.t() | nil,
          starter: pid() | nil,
          since: integer(),
          past: {calls :: non_neg_integer(), fuel :: non_neg_integer()}
        }

  @typedoc "Pools put their slots in, which have at least these fields."
  @type pool :: %{
          :__struct__ => module(),
          :label => String.t(),
          :starter => pid() | nil,
          :since => integer(),
          optional(atom()) => term()
        }

  @type entry :: pool() | server()

  @doc "Creates the table, which belongs to the calling process."
  @spec create() :: :ok
  def create do
    # Each call looks something up. To find a table by its name takes longer than that.
    :persistent_term.put(@table, :ets.new(@table, [:public, read_concurrency: true]))
  end

  @doc "Remembers the processes in the table, which is about to go with the application."
  @spec remember() :: :ok
  def remember, do: :persistent_term.put(@outlived, for({pid, _entry} <- all(), do: pid))

  defp table, do: :persistent_term.get(@table)

  def start_link(_options), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @doc """
  Puts the calling process in. If the application does not run, or is just being stopped, the process is sent
  `{Vitrine.Process.Directory, :join}`, so that it tries again.
  """
  @spec join(entry()) :: boolean()
  def join(entry) do
    joined? = put(entry)

    # The directory's process ends before the processes in the table are remembered. What is put in after that is lost.
    running? = joined? and Process.whereis(__MODULE__) != nil
    unless running?, do: Process.send_after(self(), {__MODULE__, :join}, @retry)
    joined?
  end

  @doc "Puts the calling process in, or changes its entry, if the application runs."
  @spec put(entry()) :: boolean()
  def put(entry) do
    :ets.insert(table(), {self(), entry})
    # If the directory's process is being restarted, it finds the entry in the table.
    GenServer.cast(__MODULE__, {:monitor, self()})
    true
  rescue
    # There is no table.
    ArgumentError -> false
  end

  @doc "Removes a process: new calls do not find it any more."
  @spec delete(pid() | {:remote, pid() | {atom(), node()}}) :: boolean()
  def delete(pid) do
    :ets.delete(table(), pid)
  rescue
    ArgumentError -> false
  end

  @doc "Returns the name of a process as a tag of metrics, which is always printable and short."
  @spec label(GenServer.name() | nil) :: String.t()
  def label(nil), do: inspect(self())
  def label({:global, name}), do: label(name)
  def label({:via, _module, name}), do: label(name)
  def label(name) when is_binary(name), do: Printable.text(name, @label)
  def label(name), do: name |> inspect(limit: 5) |> Printable.text(@label)

  @doc "Returns the process that started the calling one."
  @spec starter() :: pid() | nil
  def starter do
    case Process.get(:"$ancestors") do
      [name | _] when is_atom(name) -> Process.whereis(name)
      [pid | _] -> pid
      _none -> nil
    end
  end

  @doc """
  Returns the entry of a server or a pool, by its pid or name. `{:unknown, pid}` is for a pool that is not in the table
  yet, or not any more. `nil` is for such a server, for a process on another node, and for one that does not run. Raises
  `ArgumentError` if the process is something else.
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

  @doc "Returns the entry of a process of this node, or `nil`."
  @spec lookup(pid()) :: entry() | nil
  def lookup(pid) do
    case :ets.lookup(table(), pid) do
      [{_, entry}] -> entry
      [] -> nil
    end
  rescue
    ArgumentError -> not_started!()
  end

  @doc "Returns all servers and pools of this node."
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

  # A process on another node. That node is asked once, and its answer is kept until the process ends.
  defp elsewhere(process, node, expected) do
    with false <- remembered?(process) do
      case Remote.kind(process, node) do
        {:stranger, what} -> Stranger.refuse!(expected, process, what)
        kind when kind in [:server, :pool] -> remember(process)
        _out_of_reach -> nil
      end
    end

    nil
  end

  defp remembered?(process) do
    :ets.member(table(), {:remote, process})
  rescue
    ArgumentError -> not_started!()
  end

  defp remember(process) do
    :ets.insert(table(), {{:remote, process}, true})
    GenServer.cast(__MODULE__, {:monitor, {:remote, process}})
  rescue
    ArgumentError -> not_started!()
  end

  @doc "Raises that the application does not run."
  @spec not_started!() :: no_return()
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
    delete({:remote, process})
    {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}
end
