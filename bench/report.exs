# All benchmarks of calls from Elixir, one after the other, each in a system of its own:
# `mix run bench/report.exs`. Tables are printed; bench/results gets figures as CSV, and plots as SVG.

for name <- ~w(calls compute scale fairness instantiate pool density) do
  IO.puts("\n== bench/#{name}.exs")
  script = Path.expand("#{name}.exs", __DIR__)
  {_, status} = System.cmd("mix", ["run", script], into: IO.stream(), stderr_to_stdout: true)
  if status != 0, do: IO.puts("bench/#{name}.exs ended with status #{status}")
end
