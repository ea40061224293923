defmodule Vitrine.Process.QueueTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests, only: [eventually: 1]

  alias Vitrine.Process.Queue

  defp client, do: start_supervised!({Agent, fn -> nil end}, id: make_ref())

  defp put!(queue, value, timeout \\ :infinity), do: Queue.put(queue, value, client(), timeout)

  test "the client that came first is the first one, also after others have left" do
    {a, queue} = put!(%Queue{}, :a)
    {b, queue} = put!(queue, :b)
    {_c, queue} = put!(queue, :c)
    assert Queue.values(queue) == [:a, :b, :c]
    assert {^a, %{value: :a}} = Queue.first(queue)

    {%{value: :a}, queue} = Queue.delete(queue, a)
    assert {^b, %{value: :b}} = Queue.first(queue)
    assert Queue.size(queue) == 2
    assert Queue.delete(queue, a) == {nil, queue}
  end

  test "an empty queue has no first client" do
    {id, queue} = put!(%Queue{}, :a)
    {_entry, queue} = Queue.delete(queue, id)
    assert {Queue.first(queue), Queue.size(queue), Queue.get(queue, id)} == {nil, 0, nil}
  end

  test "a client whose time has passed is announced by its id" do
    {id, _queue} = put!(%Queue{}, :a, 1)
    assert_receive {:expired, ^id}
  end

  test "a client that was removed is not announced" do
    {id, queue} = put!(%Queue{}, :a, 60_000)
    {%{timer: timer}, _queue} = Queue.delete(queue, id)
    eventually(fn -> Process.read_timer(timer) == false end)
  end

  test "a client is found by the monitor, and by what is kept for it" do
    {_a, queue} = put!(%Queue{}, :a)
    {b, queue} = put!(queue, :b)
    %{monitor: monitor} = Queue.get(queue, b)
    assert Queue.id(queue, monitor) == b
    assert Queue.find(queue, &(&1 == :b)) == b
    assert {Queue.id(queue, make_ref()), Queue.find(queue, &(&1 == :c))} == {nil, nil}
  end

  test "the monitor of a client ends when it is deleted, and lives on when it is taken" do
    pid = client()
    {deleted, queue} = Queue.put(%Queue{}, :a, pid, :infinity)
    {taken, queue} = Queue.put(queue, :b, pid, :infinity)
    {%{monitor: ended}, queue} = Queue.delete(queue, deleted)
    {%{monitor: monitor}, _queue} = Queue.take(queue, taken)
    Agent.stop(pid)
    assert_receive {:DOWN, ^monitor, :process, ^pid, _reason}
    refute_received {:DOWN, ^ended, _, _, _}
  end
end
