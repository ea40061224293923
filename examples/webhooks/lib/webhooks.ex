defmodule Webhooks do
  @moduledoc """
  Runs each customer's plugin when a payment comes in, as a supervised job with retries.

      Webhooks
      ├── Webhooks.Registry
      ├── Webhooks.Tenant "acme"     its plugin, and a Task.Supervisor with its jobs
      └── Webhooks.Tenant "globex"

  A tenant has its own limits of time, memory and concurrent jobs, and its own supervisor. Whatever its plugin does, the
  jobs of other tenants go on.
  """

  use Supervisor

  alias Webhooks.{Job, Tenant}

  @doc """
  Starts the engine.

    * `:tenants` - a map from tenants to the options of their plugins: `:source`, which is `{:module, bytes}` with the
      customer's upload, the options of `Vitrine.new/2`, and `:max_jobs`, 10 by default
    * `:attempts` - how often a job is tried, 5 by default
    * `:backoff` - milliseconds before the second attempt, 1000 by default. The pause doubles before each further
      attempt, with some jitter
    * `:on_done` - a function that gets the tenant, the event and the last attempt's result
  """
  def start_link(options) do
    options =
      Keyword.validate!(options, [:tenants, attempts: 5, backoff: 1_000, on_done: &done/3])

    Supervisor.start_link(__MODULE__, options, name: __MODULE__)
  end

  @doc """
  Runs the plugin of a tenant for an event, in a separate job. Returns `{:ok, pid}`, or `{:error, :max_children}` if the
  tenant already has too many jobs.
  """
  def deliver(tenant, event) do
    options = [restart: :transient]
    Task.Supervisor.start_child(Tenant.jobs(tenant), Job, :run, [tenant, event], options)
  end

  @impl true
  def init(options) do
    job = Keyword.take(options, [:attempts, :backoff, :on_done])
    tenants = for {tenant, plugin} <- options[:tenants], do: {Tenant, {tenant, plugin, job}}
    registry = {Registry, keys: :unique, name: Webhooks.Registry}
    Supervisor.init([registry | tenants], strategy: :one_for_one)
  end

  defp done(_tenant, _event, _result), do: :ok
end
