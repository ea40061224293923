defmodule Vitrine.Pool.RemoteTest do
  # Two nodes beside this one, which remains alone: one has a pool, the other its clients.
  use ExUnit.Case, async: true

  import Vitrine.Guests
  import Vitrine.Nodes

  @moduletag timeout: 120_000

  setup_all do
    {host, host_node} = peer!("pool_host")
    {clients, _node} = peer!("pool_clients")

    child =
      {Vitrine.Pool,
       source: wasm("rust"),
       name: :remote,
       size: 1,
       host_functions: %{"greet" => &String.upcase/1, "tick" => &Function.identity/1}}

    {:ok, _} = :peer.call(host, Supervisor, :start_child, [Vitrine.Supervisor, child])
    {:ok, clients: clients, host: host, pool: {:remote, host_node}}
  end

  defp call(context, arguments), do: :peer.call(context.clients, Vitrine, :call, arguments)

  defp info(context), do: :peer.call(context.clients, Vitrine.Pool, :info, [context.pool])

  test "a call from another node runs on the pool's", context do
    assert call(context, [context.pool, "greet", "joe"]) == {:ok, "JOE"}
    assert reason(call(context, [context.pool, "recurse"])) == :trap
    assert reason(call(context, [context.pool, "spin", "", [timeout: 30]])) == :timeout
    assert %{size: 1, busy: 0} = info(context)
  end

  test "a client on another node that dies leaves its instance", context do
    spin = [context.pool, "spin", "", [timeout: :infinity]]
    client = :peer.call(context.clients, :erlang, :spawn, [Vitrine, :call, spin])
    eventually(fn -> info(context).busy == 1 end)
    :peer.call(context.clients, Process, :exit, [client, :kill])
    eventually(fn -> info(context).busy == 0 end)
    assert call(context, [context.pool, "echo", "hi"]) == {:ok, "hi"}
  end

  test "a host function that dies of a link is an error of the client's", context do
    name = :dying
    functions = %{"greet" => &Vitrine.Nodes.die_of_a_link/1, "tick" => &Function.identity/1}
    child = {Vitrine.Pool, source: wasm("rust"), name: name, host_functions: functions}
    {:ok, _} = :peer.call(context.host, Supervisor, :start_child, [Vitrine.Supervisor, child])
    pool = {name, elem(context.pool, 1)}
    call = &:peer.call(context.clients, Vitrine, :call, &1)
    error = error!(call.([pool, "greet", ""]))
    assert {error.reason, error.kind, error.exception} == {:host_function, :exit, :of_its_own}
    assert call.([pool, "echo", "hi"]) == {:ok, "hi"}
  end

  test "an upgrade from another node is loaded by the pool's", context do
    upgrade = [context.pool, wasm("rust")]
    before = info(context).version
    assert :peer.call(context.clients, Vitrine.Pool, :upgrade, upgrade) == :ok
    assert info(context).version == before + 1
    assert call(context, [context.pool, "echo", "hi"]) == {:ok, "hi"}
    missing = [context.pool, "missing.wasm"]
    assert reason(:peer.call(context.clients, Vitrine.Pool, :upgrade, missing)) == :file
  end

  test "a wrong upgrade from another node raises what it raises on the pool's", context do
    %{clients: clients, pool: pool} = context

    assert_raise ArgumentError, ~r/unknown option: :colour/, fn ->
      upgrade!(clients, [pool, wasm("rust"), [colour: 1]])
    end

    {:ok, compiled} = :peer.call(clients, Vitrine, :compile, ["(module)"])

    assert_raise ArgumentError, ~r/a source that can be sent to .*, got: #Vitrine.Compiled/, fn ->
      upgrade!(clients, [pool, compiled])
    end
  end

  defp upgrade!(clients, arguments) do
    :peer.call(clients, Vitrine.Pool, :upgrade, arguments)
  catch
    kind, {exception, _stacktrace} when kind in [:error, :exit] -> raise exception
  end

  test "a node that is not there is a closed pool", context do
    nowhere = {:remote, :"nobody@127.0.0.1"}
    assert reason(:peer.call(context.clients, Vitrine.Pool, :info, [nowhere])) == :closed
    assert reason(call(context, [nowhere, "echo", "hi"])) == :closed
  end
end
