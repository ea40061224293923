defmodule Vitrine.Application do
  @moduledoc false
  use Application

  alias Vitrine.Native
  alias Vitrine.Process.Directory
  alias Vitrine.Server.VarsKeeper

  @impl true
  def start(_type, _arguments) do
    # So that a release for another system fails when it is started, not at the first call.
    case Code.ensure_loaded(Native) do
      {:module, _} -> supervise()
      {:error, _} -> {:error, Native.Library.fault()}
    end
  end

  @impl true
  def stop(_state), do: Directory.remember()

  defp supervise do
    Vitrine.Telemetry.check_handler!()
    # The tables belong to this process, so they outlive whatever happens to those that use them.
    Directory.create()
    VarsKeeper.create()

    children = [
      VarsKeeper,
      # Servers that it tells of its start go to the keeper.
      Directory,
      # The hubs of Vitrine.LiveView, by what they are for.
      {Registry, keys: :unique, name: Vitrine.LiveView.Registry},
      {DynamicSupervisor, name: Vitrine.LiveView.Supervisor, strategy: :one_for_one}
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Vitrine.Supervisor)
  end
end
