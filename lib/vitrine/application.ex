defmodule Vitrine.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _arguments) do
    children = [Vitrine.Server.Keeper]
    Supervisor.start_link(children, strategy: :one_for_one, name: Vitrine.Supervisor)
  end
end
