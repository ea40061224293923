defmodule Vitrine.PoolHelpers do
  @moduledoc "Helpers for the tests of pools."

  import ExUnit.Callbacks
  import Vitrine.Guests

  alias Vitrine.Pool

  @doc "A pool of the Rust guest, under the test's supervisor."
  def pool!(options \\ []) do
    # Much time: what is tested is not the timeout, and machines are busy.
    defaults = [source: wasm("rust"), host_functions: host_functions(), size: 2, timeout: 60_000]
    start_supervised!({Pool, Keyword.merge(defaults, options)}, id: make_ref())
  end

  @doc "A process that has one of the pool's instances in a call that does not end by itself."
  def spinning!(pool) do
    busy = Pool.info(pool).busy
    pid = spawn(fn -> Vitrine.call(pool, "spin", "", timeout: :infinity) end)
    eventually(fn -> Pool.info(pool).busy == busy + 1 end)
    pid
  end

  @doc "A host function `greet` that holds its call until it is told to go on, and says who holds."
  def holding do
    test = self()

    %{
      "tick" => & &1,
      "greet" => fn name ->
        send(test, {:holding, name, self()})

        receive do
          :go_on -> name
        end
      end
    }
  end

  @doc "A task that is held in a host function of the pool, see `holding/0`."
  def held!(pool, name, options \\ []) do
    task = Task.async(fn -> Vitrine.call(pool, "greet", name, options) end)

    receive do
      {:holding, ^name, _} -> task
    after
      60_000 -> raise "#{name} does not hold an instance"
    end
  end

  @doc "Lets a held task go on, and gives its result."
  def release(task) do
    send(task.pid, :go_on)
    Task.await(task, 60_000)
  end

  @doc "A task whose call waits in the pool's queue."
  def waiting!(pool, function, input, options \\ []) do
    waiting = Pool.info(pool).waiting
    task = Task.async(fn -> Vitrine.call(pool, function, input, options) end)
    eventually(fn -> Pool.info(pool).waiting == waiting + 1 end)
    task
  end
end
