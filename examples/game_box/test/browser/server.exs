# GameBox for browser tests. It carries out the commands that the test writes to it.
#
#   evil CODE    the game of this arena's round becomes the hostile plugin, with the game's variables
#   good CODE    the game becomes itself again
#   kill CODE    the game's server is killed, and restarted by its supervisor
#   move CODE NAME EVENT CELL   this player makes a move, without a browser
#   renders      how often games were rendered since the last such command

Application.put_env(:game_box, :limits,
  empty_after_ms: 30_000,
  host_gone_after_ms: 30_000,
  event_timeout_ms: 1_000
)

if code = System.get_env("GAME_BOX_SAVED"), do: {:ok, _} = GameBox.Arena.find(code)

renders = :counters.new(1, [])

:telemetry.attach(
  "renders",
  [:vitrine, :call, :stop],
  fn _event, _measurements, %{function: function}, _config ->
    if function == "render", do: :counters.add(renders, 1, 1)
  end,
  nil
)

round = fn code ->
  {:ok, room} = GameBox.Arena.room(code)
  {GameBox.Round.name(room), room.round.game, GameBox.Round.topic(room)}
end

# Announces the change like a new version of a plugin.
upgrade = fn code, source ->
  {name, _game, topic} = round.(code)
  :ok = Vitrine.Server.upgrade(name, source)
  Vitrine.LiveView.changed(name, pubsub: GameBox.PubSub, topic: topic)
end

move = fn code, player, event, cell ->
  {name, _game, topic} = round.(code)
  input = %{"player_id" => player, "event_name" => event, "value" => %{"cell" => cell}}
  {:ok, %{"version" => version}} = Vitrine.call(name, "handle_event", input, as: :json)
  Vitrine.LiveView.changed(name, version: version, pubsub: GameBox.PubSub, topic: topic)
end

act = fn
  ["evil", code] -> upgrade.(code, GameBox.Mischief.plugin())
  ["good", code] -> upgrade.(code, elem(round.(code), 1).path)
  ["kill", code] -> code |> round.() |> elem(0) |> GenServer.whereis() |> Process.exit(:kill)
  ["move", code, player, event, cell] -> move.(code, player, event, cell)
  ["renders"] -> :counters.get(renders, 1) |> tap(fn _ -> :counters.put(renders, 1, 0) end)
end

IO.puts("ready #{length(GameBox.Gallery.list())}")

:stdio
|> IO.stream(:line)
|> Enum.each(fn line -> IO.puts("done #{inspect(act.(String.split(line)))}") end)

# Stops the node in good order, because the end of this script would end it at once.
System.stop()
Process.sleep(:infinity)
