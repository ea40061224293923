for file <- ~w(tenant job webhooks) do
  Code.require_file("../../examples/webhooks/lib/#{file}.ex", __DIR__)
end

defmodule Vitrine.Examples.WebhooksTest do
  # The engine has a name: no other test may start one.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  @moduletag :capture_log

  @poster ~S|
    (module
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/user" "post" (func $post (param i64) (result i64)))
      (global $count (mut i32) (i32.const 0))
      (func (export "on_payment") (local $answer i64)
        (if (global.get $count) (then unreachable))
        (global.set $count (i32.const 1))
        (local.set $answer (call $post (call $input)))
        (call $output (local.get $answer) (call $length (local.get $answer)))))
  |
  @stuck ~S|(module (func (export "on_payment") (loop (br 0))))|
  @event %{"payment" => 17}

  defp start!(tenants, options \\ []) do
    test = self()
    done = fn tenant, event, result -> send(test, {:done, tenant, event, result}) end
    options = Keyword.merge([tenants: tenants, attempts: 3, backoff: 1, on_done: done], options)
    start_supervised!({Webhooks, options})
  end

  defp poster(post), do: [source: @poster, host_functions: %{"post" => post}]

  test "an event runs the tenant's plugin, once, in a job of its own" do
    test = self()

    start!(%{
      "a" =>
        poster(fn json, context ->
          send(test, {:post, self(), json, context})
          ~s({"ok": true})
        end)
    })

    {:ok, job} = Webhooks.deliver("a", @event)
    assert_receive {:done, "a", @event, {:ok, %{"ok" => true}}}
    assert_received {:post, ^job, ~s({"payment":17}), %{tenant: "a", attempt: 1}}
    refute_received {:post, _, _, _}
  end

  test "an attempt that fails is followed by another, with a fresh instance" do
    post = fn _, %{attempt: attempt} -> if attempt < 3, do: {:error, "503"}, else: "3" end
    start!(%{"a" => poster(post)})
    {:ok, _} = Webhooks.deliver("a", @event)
    assert_receive {:done, "a", @event, {:ok, 3}}
  end

  test "the error of a job is that of its last attempt" do
    test = self()

    start!(%{
      "a" =>
        poster(fn _, context ->
          send(test, context)
          {:error, "503"}
        end)
    })

    {:ok, _} = Webhooks.deliver("a", @event)
    assert_receive {:done, "a", @event, {:error, %{reason: :guest_error} = error}}
    assert error.message =~ "503"
    for attempt <- 1..3, do: assert_received(%{attempt: ^attempt})
    refute_received %{attempt: 4}
  end

  test "a permanent failure is not retried" do
    start!(%{"a" => [source: "(module)"]}, backoff: 60_000)
    {:ok, _} = Webhooks.deliver("a", @event)
    assert_receive {:done, "a", _, {:error, %{reason: :function_not_found}}}
  end

  test "a tenant that is stuck keeps its own jobs waiting, and no others" do
    start!(
      %{
        "stuck" => [source: @stuck, timeout: 300, max_jobs: 2],
        "a" => poster(fn _, _ -> "1" end)
      },
      attempts: 1
    )

    for _ <- 1..2, do: {:ok, _} = Webhooks.deliver("stuck", @event)
    assert Webhooks.deliver("stuck", @event) == {:error, :max_children}
    {:ok, _} = Webhooks.deliver("a", @event)
    assert_receive {:done, "a", _, {:ok, 1}}
    assert_receive {:done, "stuck", _, {:error, %{reason: :timeout}}}
  end

  test "a job that is killed runs again" do
    test = self()

    start!(%{
      "a" =>
        poster(fn _, _ ->
          send(test, {:posting, self()})

          receive do
            :go -> "1"
          end
        end)
    })

    {:ok, job} = Webhooks.deliver("a", @event)
    assert_receive {:posting, ^job}
    Process.exit(job, :kill)
    # The plugin is gone with its job; the supervisor begins the job again.
    assert_receive {:posting, again} when again != job
    send(again, :go)
    assert_receive {:done, "a", _, {:ok, 1}}
  end

  test "pauses between attempts grow, with jitter" do
    for attempt <- 1..5, base = 100 * Integer.pow(2, attempt - 1), _ <- 1..20 do
      assert Webhooks.Job.pause(100, attempt) in base..div(base * 3, 2)
    end
  end

  test "starting a tenant answers with the error of a plugin that cannot be loaded" do
    Process.flag(:trap_exit, true)

    assert {:error, reason} =
             Webhooks.start_link(tenants: %{"a" => [source: wat("unknown_import")]})

    assert inspect(reason) =~ "Vitrine.Error"
  end
end
