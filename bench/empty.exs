# Builds and loads the NIFs of bench/empty_nif.

crate = Path.expand("empty_nif", __DIR__)
target = Path.expand("../target/bench", __DIR__)

{_, 0} =
  System.cmd("cargo", ["build", "--release", "--locked", "--quiet", "--target-dir", target],
    cd: crate
  )

defmodule Bench.Empty do
  @on_load :load
  @library Path.join(target, "release/libvitrine_bench_empty_nif")

  def load, do: :erlang.load_nif(String.to_charlist(@library), 0)
  def empty, do: :erlang.nif_error(:not_loaded)
  def empty_dirty, do: :erlang.nif_error(:not_loaded)
end
