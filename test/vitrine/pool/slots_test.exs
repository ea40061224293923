defmodule Vitrine.Pool.SlotsTest do
  use ExUnit.Case, async: true

  import Vitrine.PoolHelpers

  alias Vitrine.Pool
  alias Vitrine.Pool.{Owner, Slots}

  defp dead do
    {pid, monitor} = spawn_monitor(fn -> :ok end)
    assert_receive {:DOWN, ^monitor, _, _, _}
    pid
  end

  describe "take_back/3" do
    test "frees a slot whose owner is dead" do
      slots = Pool.Slots.find(pool!(size: 1))
      owner = dead()
      assert Slots.lease(slots, 1, owner)
      assert Slots.take_back(slots, 1, owner) == :ok
      assert Slots.owner(slots, 1) == nil
    end

    test "leaves a slot to its new owner, if the dead one had returned it" do
      pool = pool!(size: 1, host_functions: holding())
      slots = Pool.Slots.find(pool)
      holder = held!(pool, "holder")
      assert Slots.take_back(slots, 1, dead()) == :ok
      assert Slots.owner(slots, 1) == holder.pid
      assert release(holder) == {:ok, "holder"}
      assert Pool.info(pool).idle == 1
    end
  end

  describe "lease/3" do
    test "gives a slot to one process only" do
      slots = Pool.Slots.find(pool!(size: 1))
      test = self()
      race = fn _ -> spawn_link(fn -> send(test, Slots.lease(slots, 1, self())) end) end
      pids = Enum.map(1..50, race)

      won =
        for _ <- pids do
          receive do
            won when is_boolean(won) -> won
          end
        end

      assert Enum.count(won, & &1) == 1
      assert Slots.owner(slots, 1) in pids
    end
  end

  describe "lease_any/2" do
    test "finds every slot, overflow last, whatever the partition" do
      slots = Pool.Slots.find(pool!(size: 7, overflow: 2, partitions: 3))
      found = for _ <- 1..9, do: Slots.lease_any(slots, self())
      assert Enum.sort(Enum.take(found, 7)) == Enum.to_list(1..7)
      assert Enum.drop(found, 7) == [8, 9]
      assert Slots.lease_any(slots, self()) == nil
      Slots.release(slots, 5)
      assert Slots.lease_any(slots, self()) == 5
    end
  end

  describe "Owner" do
    test "makes processes integers and back" do
      for pid <- [self(), dead() | Enum.take_random(Process.list(), 20)] do
        assert pid |> Owner.encode() |> Owner.decode() == pid
      end

      assert Owner.encode(self()) in 1..0xFFFF_FFFF_FFFF_FFFF
    end
  end
end
