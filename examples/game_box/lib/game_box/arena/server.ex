defmodule GameBox.Arena.Server do
  @moduledoc false
  # The process of an arena. It asks the Room what is allowed, watches who is there, and has rounds started and ended. It
  # calls no plugin, so a game cannot hold it up.

  use GenServer, restart: :transient

  alias GameBox.{Arena, Gallery, Limits, Round}
  alias GameBox.Arena.{Room, Saved}
  alias GameBox.Round.Store

  # If many people come or go at once, the others get one message for all of them.
  @gather_ms 50

  # How often the variables of a game that is being played are saved.
  @save_ms 1_000

  @doc "The name by which an arena is found in the cluster."
  def name(code), do: {:global, {Arena, code}}

  @doc "Starts a new arena, or with `:saved` the saved arena of this code."
  def start_link({code, _new_or_saved} = start),
    do: GenServer.start_link(__MODULE__, start, name: name(code))

  @impl true
  def init({code, start}) do
    # So that terminate/2 runs when this node is stopped.
    Process.flag(:trap_exit, true)

    # A saved state was left by a process that crashed, or by a node that was stopped.
    case {Saved.load(code), start} do
      {{:ok, room, vars}, _} ->
        # Viewers have to register again.
        Phoenix.PubSub.broadcast(GameBox.PubSub, Arena.topic(code), :arena_back)
        {:ok, resume(state(room), vars)}

      {:error, :new} ->
        {:ok, state(%Room{code: code})}

      {:error, :saved} ->
        :ignore
    end
  end

  defp state(room) do
    Process.send_after(self(), :empty?, Limits.get(:empty_after_ms))
    Process.send_after(self(), :save, @save_ms)
    # Players are offline until their browsers register.
    players = Map.new(room.players, fn {id, player} -> {id, %{player | online: false}} end)
    room = %{room | players: players, spectators: 0}

    %{
      room: room,
      # The viewer of each monitored process.
      lookers: %{},
      # `starting` is the task that starts a round, `round` then the round's supervisor.
      starting: nil,
      round: nil,
      host_timer: nil,
      tell_timer: nil,
      saved: nil
    }
  end

  defp resume(%{room: %{round: nil}} = state, _vars), do: state

  defp resume(%{room: room} = state, vars) do
    case Round.running(room) do
      # Only this process had ended; the round still runs.
      round when is_pid(round) ->
        %{state | round: {round, Process.monitor(round)}, room: %{room | phase: :playing}}

      nil ->
        key = {room.code, room.round.number}
        # The variables in the table are newer than the saved ones.
        if Store.load(key) == nil, do: Store.save(key, vars)
        begin_round(%{state | room: %{room | phase: :starting}})
    end
  end

  @impl true
  def handle_call({:join, id, name}, _from, state),
    do: reply(Room.join(state.room, id, name), state)

  def handle_call({:look, id, pid}, _from, state) do
    if map_size(state.lookers) < Limits.get(:viewers) do
      # An unknown player is a spectator.
      id = if is_map_key(state.room.players, id), do: id
      state = present(%{state | lookers: Map.put(state.lookers, Process.monitor(pid), id)})
      {:reply, {:ok, state.room}, tell_soon(state)}
    else
      {:reply, {:error, :full}, state}
    end
  end

  def handle_call({:select, by, nil}, _from, state),
    do: reply(Room.select(state.room, by, nil), state)

  def handle_call({:select, by, game_id}, _from, state) do
    case Gallery.fetch(game_id) do
      {:ok, game} -> reply(Room.select(state.room, by, game), state)
      :error -> {:reply, {:error, :no_game}, state}
    end
  end

  def handle_call({:start, by}, _from, state) do
    with {:ok, room} <- Room.start(state.room, by),
         do: reply({:ok, room}, begin_round(%{state | room: room})),
         else: (refused -> reply(refused, state))
  end

  def handle_call({:finish, by}, _from, state) do
    with {:ok, room} <- Room.finish(state.room, by),
         do: reply({:ok, room}, end_round(state)),
         else: (refused -> reply(refused, state))
  end

  def handle_call(:room, _from, state), do: {:reply, {:ok, state.room}, state}
  def handle_call(:games, _from, state), do: {:reply, Gallery.list(), state}

  @impl true
  def handle_info({reference, result}, %{starting: %{ref: reference}} = state) do
    Process.demonitor(reference, [:flush])
    {:noreply, begun(%{state | starting: nil}, result)}
  end

  def handle_info({:DOWN, reference, :process, _, _}, %{starting: %{ref: reference}} = state),
    do: {:noreply, begun(%{state | starting: nil}, {:error, "The game did not start."})}

  def handle_info({:DOWN, monitor, :process, _, _}, %{round: {_, monitor}} = state),
    do:
      {:noreply, fail(%{state | round: nil}, "The game has broken down, and the round with it.")}

  def handle_info({:DOWN, monitor, :process, _, _}, state) do
    state = present(%{state | lookers: Map.delete(state.lookers, monitor)})

    if state.lookers == %{},
      do: Process.send_after(self(), :empty?, Limits.get(:empty_after_ms))

    {:noreply, tell_soon(state)}
  end

  def handle_info(:tell, state), do: {:noreply, tell(%{state | tell_timer: nil})}

  def handle_info(:empty?, %{lookers: lookers} = state) when lookers == %{},
    do: {:stop, :normal, state}

  def handle_info(:host_gone?, state),
    do: {:noreply, tell(%{state | host_timer: nil, room: Room.replace_host(state.room)})}

  def handle_info(:save, state) do
    Process.send_after(self(), :save, @save_ms)
    {:noreply, save(state)}
  end

  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  # The last viewer has left, so nothing is kept.
  def terminate(:normal, state) do
    end_round(state)
    Saved.delete(state.room.code)
  end

  # This node is being stopped, or something failed.
  def terminate(_reason, state), do: save(state)

  # Players are counted anew, because the same player may have two windows open.
  defp present(state) do
    there = Map.values(state.lookers)

    room =
      Enum.reduce(Map.keys(state.room.players), state.room, fn id, room ->
        Room.online(room, id, id in there)
      end)

    watch_host(%{state | room: %{room | spectators: Enum.count(there, &is_nil/1)}})
  end

  defp watch_host(%{room: room, host_timer: timer} = state) do
    there? = match?(%{online: true}, room.players[room.host])

    cond do
      there? and timer != nil ->
        Process.cancel_timer(timer)
        %{state | host_timer: nil}

      not there? and timer == nil ->
        timer = Process.send_after(self(), :host_gone?, Limits.get(:host_gone_after_ms))
        %{state | host_timer: timer}

      true ->
        state
    end
  end

  defp begin_round(%{room: room} = state) do
    task = Task.Supervisor.async_nolink(GameBox.Tasks, Round, :start, [room])
    %{state | starting: task}
  end

  defp begun(state, {:ok, supervisor}) do
    round = {supervisor, Process.monitor(supervisor)}
    tell(%{state | round: round, room: Room.started(state.room, true)})
  end

  defp begun(state, {:error, why}), do: fail(state, why)

  defp fail(%{room: room} = state, why) do
    Round.stop(nil, room)
    Phoenix.PubSub.broadcast(GameBox.PubSub, Arena.topic(room.code), {:arena_notice, why})
    tell(%{state | room: Room.started(%{room | phase: :starting}, false)})
  end

  defp end_round(%{round: nil} = state), do: state

  defp end_round(%{round: {supervisor, monitor}, room: room} = state) do
    Process.demonitor(monitor, [:flush])
    Round.stop(supervisor, room)
    %{state | round: nil}
  end

  defp reply({:ok, room}, state), do: {:reply, {:ok, room}, tell(%{state | room: room})}
  defp reply(refused, state), do: {:reply, refused, state}

  defp tell_soon(%{tell_timer: nil} = state),
    do: %{state | tell_timer: Process.send_after(self(), :tell, @gather_ms)}

  defp tell_soon(state), do: state

  defp tell(%{room: room} = state) do
    Phoenix.PubSub.broadcast(GameBox.PubSub, Arena.topic(room.code), {:arena, room})
    save(state)
  end

  defp save(%{room: room} = state) do
    case {room, Round.vars(room)} do
      same when same == state.saved ->
        state

      {room, vars} = now ->
        Saved.save(room, vars)
        %{state | saved: now}
    end
  end
end
