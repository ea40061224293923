# Builds the program of bench/port, and talks to it.

crate = Path.expand("port", __DIR__)
target = Path.expand("../target/bench", __DIR__)

{_, 0} =
  System.cmd("cargo", ["build", "--release", "--locked", "--quiet", "--target-dir", target],
    cd: crate
  )

defmodule Bench.Port do
  @program Path.join(target, "release/vitrine_bench_port")

  def open(arguments \\ []),
    do: Port.open({:spawn_executable, @program}, [:binary, packet: 4, args: arguments])

  def call(port, packet) do
    Port.command(port, packet)

    receive do
      {^port, {:data, answer}} -> answer
    end
  end
end
