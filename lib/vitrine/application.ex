defmodule Vitrine.Application do
  @moduledoc false
  use Application

  alias Vitrine.Pool.Directory

  @impl true
  def start(_type, _arguments) do
    Vitrine.Telemetry.check_handler!()
    # The table belongs to this process, so it outlives whatever happens to the directory's own.
    Directory.create()

    children = [
      Directory,
      Vitrine.Server.Keeper,
      # The hubs of Vitrine.LiveView, by what they are for.
      {Registry, keys: :unique, name: Vitrine.LiveView.Registry},
      {DynamicSupervisor, name: Vitrine.LiveView.Supervisor, strategy: :one_for_one}
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Vitrine.Supervisor)
  end
end
