defmodule Webhooks.Job do
  @moduledoc "One event for one tenant. It is attempted until the plugin accepts it, or no attempts are left."

  require Logger

  alias Webhooks.Tenant

  # With these reasons the plugin would fail in the same way again.
  @hopeless [:compile, :link, :file, :manifest, :function_not_found]

  def run(tenant, event) do
    Logger.metadata(tenant: tenant)
    {:ok, _plugin, job} = Tenant.plugin(tenant)
    result = attempt(tenant, event, job, 1)
    job[:on_done].(tenant, event, result)
  end

  defp attempt(tenant, event, job, number) do
    case call(tenant, event, number) do
      {:error, error} ->
        Logger.warning("attempt #{number} of #{job[:attempts]}: #{Exception.message(error)}")

        if number < job[:attempts] and error.reason not in @hopeless do
          Process.sleep(pause(job[:backoff], number))
          attempt(tenant, event, job, number + 1)
        else
          {:error, error}
        end

      done ->
        done
    end
  end

  # Each attempt has a new instance, so that one event leaves nothing behind for the next.
  defp call(tenant, event, number) do
    with {:ok, plugin, _job} <- Tenant.plugin(tenant) do
      result =
        Vitrine.call(plugin, "on_payment", event,
          as: :json,
          context: %{tenant: tenant, attempt: number}
        )

      Vitrine.close(plugin)
      result
    end
  end

  @doc "Returns the milliseconds before the next attempt. They double each time, and up to a half is added."
  def pause(backoff, number) do
    pause = backoff * Integer.pow(2, number - 1)
    pause + :rand.uniform(div(pause, 2) + 1) - 1
  end
end
