defmodule Vitrine.ErrorTable.Processes do
  @moduledoc "Servers and pools."

  import ExUnit.Callbacks
  import Vitrine.Guests, only: [eventually: 1]
  import Vitrine.PoolHelpers

  alias Vitrine.{Pool, Server}

  @spin ~S|(module (func (export "spin") (loop (br 0))) (func (export "run")))|

  def rows, do: servers() ++ pools()

  defp servers do
    [
      {"a server that is not running", :closed,
       "the server or pool :nowhere is not running: there is no such process",
       fn -> Vitrine.call(:nowhere, "run") end},
      {"a server that has ended", :closed,
       "the server or pool #PID<…> is not running: there is no such process",
       fn ->
         server = server!()
         Vitrine.close(server)
         Vitrine.call(server, "run")
       end},
      {"a server that is asked and has ended", :closed,
       "the server or pool #PID<…> is not running: there is no such process",
       fn ->
         server = server!()
         Vitrine.close(server)
         Vitrine.vars(server)
       end},
      {"a server whose queue is full", :queue_full,
       "the queue of the server is full: 0 calls wait; the limit is 0 waiting calls (max_queue: 0)",
       fn ->
         server = server!(max_queue: 0)
         busy!(server)
         Vitrine.call(server, "run")
       end},
      {"a call that waits for a server beyond its time", :timeout,
       "the call waited for the server until its deadline; 30 ms were allowed (timeout: 30 of the call)",
       fn ->
         server = server!()
         busy!(server)
         Vitrine.call(server, "run", "", timeout: 30)
       end},
      {"a server that does not answer", :timeout,
       "the server or pool #PID<…> did not answer within 20 ms (timeout: 20 of the call)",
       fn ->
         server = server!()
         :sys.suspend(server)
         result = Vitrine.call(server, "run", "", timeout: 20)
         :sys.resume(server)
         result
       end},
      {"a server that its own host function calls", :busy,
       "the caller is in a call of the server already, which serves one call at a time; its host functions cannot call it",
       fn ->
         own = :"server #{System.unique_integer()}"
         source = ~S|(module (import "extism:host/user" "f" (func $f (param i64) (result i64)))
           (func (export "run") (drop (call $f (i64.const 0)))))|

         start_supervised!(
           {Server,
            source: source,
            name: own,
            host_functions: %{"f" => fn _ -> Vitrine.call!(own, "run") end}}
         )

         {:error, error} = Vitrine.call(own, "run")
         {:error, error.exception}
       end},
      {"a server's new version that cannot be loaded", :file,
       "the file \"/nowhere/plugin.wasm\" cannot be read: no such file or directory",
       fn -> Server.upgrade(server!(), "/nowhere/plugin.wasm") end},
      {"a server that is upgraded twice at once", :busy,
       "the server is in the middle of another upgrade",
       fn ->
         server = server!()
         busy!(server)
         spawn(fn -> Server.upgrade(server, @spin, timeout: 60_000) end)
         eventually(fn -> :sys.get_state(server).upgrade != nil end)
         Server.upgrade(server, @spin)
       end}
    ]
  end

  defp pools do
    [
      {"a pool that is not running", :closed,
       "the pool :nowhere is not running: there is no such process",
       fn -> Pool.info(:nowhere) end},
      {"a pool that has ended", :closed,
       "the server or pool #PID<…> is not running: there is no such process",
       fn ->
         pool = pool!()
         Pool.stop(pool)
         Vitrine.call(pool, "echo")
       end},
      {"a pool whose queue is full", :pool_full,
       "no instance of the pool is free, and its queue is full; the limit is 0 waiting calls (max_queue: 0)",
       fn ->
         pool = pool!(size: 1, max_queue: 0)
         spinning!(pool)
         Vitrine.call(pool, "echo")
       end},
      {"a call that waits for a pool beyond its time", :timeout,
       "no instance of the pool was free in time; 30 ms were allowed (timeout: 30 of the call)",
       fn ->
         pool = pool!(size: 1)
         spinning!(pool)
         Vitrine.call(pool, "echo", "", timeout: 30)
       end},
      {"a call that waits for a pool beyond the pool's time", :timeout,
       "no instance of the pool was free in time; 30 ms were allowed (queue_timeout: 30 of the pool)",
       fn ->
         pool = pool!(size: 1, queue_timeout: 30)
         spinning!(pool)
         Vitrine.call(pool, "echo")
       end},
      {"a pool of one that its own host function calls", :busy,
       "the caller has all instances of the pool itself, in calls that it is in; a host function that calls its own pool needs one more (size: 2)",
       fn ->
         own = :"pool #{System.unique_integer()}"
         functions = %{"tick" => & &1, "greet" => fn _ -> Vitrine.call!(own, "echo") end}
         pool!(size: 1, name: own, host_functions: functions)
         {:error, error} = Vitrine.call(own, "greet", "x")
         {:error, error.exception}
       end}
    ]
  end

  defp server!(options \\ []) do
    start_supervised!({Server, [source: @spin, name: nil] ++ options} |> child(), id: make_ref())
  end

  defp child({Server, options}), do: {Server, Keyword.reject(options, &(&1 == {:name, nil}))}

  # In a call that does not end by itself.
  defp busy!(server) do
    spawn(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
    eventually(fn -> :sys.get_state(server).lease != nil end)
  end
end
