defmodule Vitrine.Application do
  @moduledoc false
  use Application

  alias Vitrine.{Native, Telemetry}
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
    Telemetry.check_handler!()
    # The tables belong to this process, so that they outlive the processes that use them.
    Directory.create()
    VarsKeeper.create()

    children = [
      VarsKeeper,
      # It tells servers of its start, and these go to the keeper then.
      Directory,
      # The hubs of Vitrine.LiveView, by their plugins.
      {Registry, keys: :unique, name: Vitrine.LiveView.Registry},
      {DynamicSupervisor, name: Vitrine.LiveView.Supervisor, strategy: :one_for_one}
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Vitrine.Supervisor)
  end
end
