# Payments for three customers. The plugin of one customer fails at first, and the plugin of another never ends. Run it
# with `mix run examples/webhooks/run.exs`.

for file <- ~w(tenant job webhooks), do: Code.require_file("lib/#{file}.ex", __DIR__)

defmodule Webhooks.Run do
  # This plugin passes the event to the host function "post", which stands for the network.
  @plugin ~S|
    (module
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/user" "post" (func $post (param i64) (result i64)))
      (func (export "on_payment") (local $answer i64)
        (local.set $answer (call $post (call $input)))
        (call $output (local.get $answer) (call $length (local.get $answer)))))
  |

  @stuck ~S|(module (func (export "on_payment") (loop (br 0))))|

  def run do
    me = self()
    post = &post/2
    functions = [host_functions: %{"post" => post}]

    tenants = %{
      "acme" => [source: {:module, @plugin}] ++ functions,
      "globex" => [source: {:module, @plugin}] ++ functions,
      "stuck" => [source: {:module, @stuck}, timeout: 100, max_jobs: 2]
    }

    {:ok, _} =
      Webhooks.start_link(
        tenants: tenants,
        attempts: 3,
        backoff: 50,
        on_done: fn tenant, event, result -> send(me, {:done, tenant, event, result}) end
      )

    payment = %{"payment" => 17, "amount" => 1200, "currency" => "EUR"}
    for {tenant, _} <- tenants, do: {:ok, _} = Webhooks.deliver(tenant, payment)

    for _ <- tenants do
      receive do
        {:done, tenant, _event, {:ok, answer}} ->
          IO.puts("#{tenant}: #{inspect(answer)}")

        {:done, tenant, _event, {:error, error}} ->
          IO.puts("#{tenant}: #{Exception.message(error)}")
      end
    end
  end

  # The network of this example: globex is down for the first two attempts.
  defp post(_json, %{tenant: "globex", attempt: attempt}) when attempt < 3,
    do: {:error, "503 Service Unavailable"}

  defp post(_json, %{attempt: attempt}), do: ~s({"status": 200, "attempt": #{attempt}})
end

Webhooks.Run.run()
