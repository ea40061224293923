defmodule GameBox.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _arguments) do
    # The table belongs to this process, so it outlives the servers that use it.
    GameBox.Round.Store.create()

    children = [
      {Phoenix.PubSub, name: GameBox.PubSub},
      GameBox.Gallery,
      GameBox.Arena.Tries,
      {DynamicSupervisor, name: GameBox.Rounds, strategy: :one_for_one},
      {DynamicSupervisor, name: GameBox.Arenas, strategy: :one_for_one},
      {Task.Supervisor, name: GameBox.Tasks},
      # Checks of uploads are limited, because compiling is expensive.
      {Task.Supervisor, name: GameBox.Checks, max_children: GameBox.Limits.get(:checks)},
      GameBoxWeb.Endpoint
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: GameBox.Supervisor)
  end

  @impl true
  def config_change(changed, _new, removed) do
    GameBoxWeb.Endpoint.config_change(changed, removed)
    :ok
  end
end
