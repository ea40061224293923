defmodule Webhooks.Tenant do
  @moduledoc "One customer: a plugin with its limits, and the jobs that run it."

  use Supervisor

  # The default limits of a customer's plugin.
  @limits [timeout: 1_000, memory: [max_pages: 256], limits: [output_bytes: 65_536]]

  def child_spec({tenant, _plugin, _job} = argument),
    do: super(argument) |> Map.put(:id, {__MODULE__, tenant})

  def start_link({tenant, plugin, job}),
    do: Supervisor.start_link(__MODULE__, {tenant, plugin, job}, name: name(tenant, :supervisor))

  @doc "Returns the supervisor of a tenant's jobs."
  def jobs(tenant), do: name(tenant, :jobs)

  @doc "Returns a fresh instance of a tenant's plugin, and the options of its jobs."
  def plugin(tenant) do
    {source, options, job} = Agent.get(name(tenant, :plugin), &elem(&1, 1))
    with {:ok, plugin} <- Vitrine.new(source, options), do: {:ok, plugin, job}
  end

  @impl true
  def init({tenant, plugin, job}) do
    {max_jobs, plugin} = Keyword.pop(plugin, :max_jobs, 10)
    {source, options} = Keyword.pop!(plugin, :source)
    options = Keyword.merge(@limits, [name: tenant] ++ options)

    # The plugin is loaded once at the start, so that a plugin that cannot be loaded fails early. It is kept loaded,
    # because a module that is in use is not compiled again, which makes an instance for each attempt cheap.
    load = fn ->
      case Vitrine.new(source, options) do
        {:ok, warm} -> {warm, {source, options, job}}
        {:error, error} -> exit(error)
      end
    end

    children = [
      %{id: :plugin, start: {Agent, :start_link, [load, [name: name(tenant, :plugin)]]}},
      {Task.Supervisor, name: jobs(tenant), max_children: max_jobs}
    ]

    Supervisor.init(children, strategy: :rest_for_one)
  end

  defp name(tenant, role), do: {:via, Registry, {Webhooks.Registry, {tenant, role}}}
end
