defmodule Vitrine.Server.RemoteTest do
  # Two nodes beside this one, which remains alone: one has a server, the other its clients.
  use ExUnit.Case, async: true

  import Vitrine.Guests
  import Vitrine.Nodes

  @moduletag timeout: 120_000

  setup_all do
    {host, host_node} = peer!("host")
    {clients, _node} = peer!("clients")

    child =
      {Vitrine.Server,
       source: wasm("rust"),
       name: :remote,
       host_functions: %{"greet" => &String.upcase/1, "tick" => &Function.identity/1}}

    {:ok, _} = :peer.call(host, Supervisor, :start_child, [Vitrine.Supervisor, child])
    {:ok, clients: clients, host: host, server: {:remote, host_node}}
  end

  defp call(clients, function, arguments), do: :peer.call(clients, Vitrine, function, arguments)

  defp info(context), do: :peer.call(context.host, Vitrine.Server, :info, [:remote])

  defp client(context, function) do
    arguments = [context.server, function, "", [timeout: :infinity]]
    :peer.call(context.clients, :erlang, :spawn, [Vitrine, :call, arguments])
  end

  defp kill(context, client), do: :peer.call(context.clients, Process, :exit, [client, :kill])

  test "a call from another node runs on the server's", context do
    %{clients: clients, server: server} = context
    assert call(clients, :call, [server, "greet", "joe"]) == {:ok, "JOE"}
    assert reason(call(clients, :call, [server, "recurse"])) == :trap
    assert reason(call(clients, :call, [server, "spin", "", [timeout: 30]])) == :timeout
    assert %{calls: calls} = call(clients, :stats, [server])
    assert calls >= 3
  end

  test "a client on another node that dies frees the server, or its place in the queue",
       context do
    running = client(context, "spin")
    eventually(fn -> info(context).state == :busy end)
    waiting = client(context, "echo")
    eventually(fn -> info(context).queue == 1 end)
    kill(context, waiting)
    eventually(fn -> info(context).queue == 0 end)
    assert info(context).state == :busy
    kill(context, running)
    eventually(fn -> info(context).state == :idle end)
    assert call(context.clients, :call, [context.server, "echo", "hi"]) == {:ok, "hi"}
  end

  test "a host function that dies of a link is an error of the client's", context do
    name = :dying
    functions = %{"greet" => &Vitrine.Nodes.die_of_a_link/1, "tick" => &Function.identity/1}
    child = {Vitrine.Server, source: wasm("rust"), name: name, host_functions: functions}
    {:ok, _} = :peer.call(context.host, Supervisor, :start_child, [Vitrine.Supervisor, child])
    server = {name, elem(context.server, 1)}
    call = &:peer.call(context.clients, Vitrine, :call, &1)
    error = error!(call.([server, "greet", ""]))
    assert {error.reason, error.kind, error.exception} == {:host_function, :exit, :of_its_own}
    assert call.([server, "echo", "hi"]) == {:ok, "hi"}
  end

  test "an upgrade from another node is loaded by the server's", context do
    upgrade = [context.server, wasm("rust")]
    assert :peer.call(context.clients, Vitrine.Server, :upgrade, upgrade) == :ok
    assert info(context).version > 1
    assert call(context.clients, :call, [context.server, "echo", "hi"]) == {:ok, "hi"}
  end

  @tag :tmp_dir
  test "variables that a call from another node changed are saved before it is answered",
       context do
    path = Path.join(context.tmp_dir, "vars")

    child =
      {Vitrine.Server,
       source: wasm("rust"),
       name: :saving,
       id: :saving,
       host_functions: %{"greet" => &String.upcase/1, "tick" => &Function.identity/1},
       restore_vars: {Vitrine.SlowStore, path}}

    {:ok, _} = :peer.call(context.host, Supervisor, :start_child, [Vitrine.Supervisor, child])
    {_name, node} = context.server
    assert call(context.clients, :call, [{:saving, node}, "var_set", "a=1"]) == {:ok, ""}
    assert path |> File.read!() |> :erlang.binary_to_term() |> map_size() > 0
  end
end
