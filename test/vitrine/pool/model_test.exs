defmodule Vitrine.Pool.ModelTest do
  # Random sequences of what may happen to a pool's slots, against a model that is plainly right.
  use ExUnit.Case, async: true

  import Vitrine.{Guests, PoolHelpers, Property}

  alias Vitrine.Pool

  @step_names [:begin, :begin, :begin, :finish, :finish, :kill, :kill_waiting, :upgrade, :refuse]

  test "calls begin in order, never more than there are slots, and none is lost" do
    draw = fn ->
      steps = for _ <- 1..(:rand.uniform(40) + 10), do: {one_of_names(), :rand.uniform(1000)}
      {:rand.uniform(4), :rand.uniform(3) - 1, steps}
    end

    forall(draw, 25, fn {size, overflow, steps} ->
      pool = pool!(size: size, overflow: overflow, host_functions: holding(), max_queue: 5)
      model = %{pool: pool, slots: size + overflow, running: [], waiting: [], next: 1}
      model = Enum.reduce(steps, model, &checked_step/2)
      finish_all(model)
      eventually(fn -> match?(%{busy: 0, waiting: 0}, Pool.info(pool)) end)
      assert Pool.info(pool).idle <= size
      assert size |> saturate(overflow, pool) |> length() == size + overflow
    end)
  end

  defp one_of_names, do: Enum.random(@step_names)

  defp checked_step(step, model) do
    model = step(step, model)

    eventually(fn ->
      info = Pool.info(model.pool)
      info.busy == length(model.running) and info.waiting == length(model.waiting)
    end)

    assert length(model.running) <= model.slots
    # Nobody waits while a slot is free.
    assert model.waiting == [] or length(model.running) == model.slots
    refute_received {:holding, _, _}
    model
  end

  # Calls are tasks in a host function, which end when they are told.
  defp step({:begin, _}, model) do
    name = "call #{model.next}"
    model = %{model | next: model.next + 1}

    cond do
      length(model.running) < model.slots ->
        %{model | running: [{name, held!(model.pool, name)} | model.running]}

      length(model.waiting) < 5 ->
        %{model | waiting: model.waiting ++ [{name, waiting!(model.pool, "greet", name)}]}

      true ->
        assert reason(Vitrine.call(model.pool, "greet", name)) == :pool_full
        model
    end
  end

  defp step({:finish, random}, %{running: [_ | _] = running} = model) do
    {name, task} = Enum.at(running, rem(random, length(running)))
    assert release(task) == {:ok, name}
    promote(%{model | running: running -- [{name, task}]})
  end

  defp step({:kill, random}, %{running: [_ | _] = running} = model) do
    {name, task} = Enum.at(running, rem(random, length(running)))
    Task.shutdown(task, :brutal_kill)
    promote(%{model | running: running -- [{name, task}]})
  end

  defp step({:kill_waiting, random}, %{waiting: [_ | _] = waiting} = model) do
    {name, task} = Enum.at(waiting, rem(random, length(waiting)))
    Task.shutdown(task, :brutal_kill)
    %{model | waiting: waiting -- [{name, task}]}
  end

  defp step({:upgrade, _}, model) do
    assert Pool.upgrade(model.pool, wasm("rust")) == :ok
    model
  end

  # Unsound calls, which leave the slot to the next.
  defp step({:refuse, _}, model) do
    if length(model.running) < model.slots do
      assert reason(Vitrine.call(model.pool, "panic")) == :trap
      assert reason(Vitrine.call(model.pool, "echo", "", timeout: 0)) == :timeout
    end

    model
  end

  defp step(_impossible, model), do: model

  # The first who waits has the slot now.
  defp promote(%{waiting: []} = model), do: model

  defp promote(%{waiting: [{name, task} | waiting]} = model) do
    assert_receive {:holding, held, pid}
    assert {held, pid} == {name, task.pid}
    %{model | running: [{name, task} | model.running], waiting: waiting}
  end

  defp finish_all(%{running: []} = model), do: model
  defp finish_all(model), do: finish_all(step({:finish, 0}, model))

  # All slots are there: so many calls run at the same time.
  defp saturate(size, overflow, pool) do
    tasks = for n <- 1..(size + overflow), do: held!(pool, "last #{n}")
    for task <- tasks, do: release(task)
  end
end
