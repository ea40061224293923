# Runs Dialyzer over the compiled modules of lib/:  elixir tools/dialyzer.exs EBIN
#
# Dialyzer's knowledge of Erlang and Elixir stays the same until one of them changes, so it is kept below _build.

[ebin] = System.argv()

applications = ~w(erts kernel stdlib crypto public_key ssl elixir logger ex_unit)a

version = "otp-#{:erlang.system_info(:version)}-elixir-#{System.version()}"
plt = Path.join(["_build", "dialyzer", version <> ".plt"])

beams = fn directory -> directory |> Path.join("*.beam") |> Path.wildcard() end

# Modules of tests and examples are compiled into the same directory.
of_lib? = fn beam ->
  {:ok, {_module, [compile_info: info]}} =
    :beam_lib.chunks(String.to_charlist(beam), [:compile_info])

  List.to_string(info[:source]) |> Path.relative_to_cwd() |> String.starts_with?("lib/")
end

run = fn options ->
  try do
    :dialyzer.run(options)
  catch
    {:dialyzer_error, message} -> raise IO.chardata_to_string(message)
  end
end

unless File.exists?(plt) do
  IO.puts("dialyzer: learning Erlang and Elixir (some minutes, once)")
  File.mkdir_p!(Path.dirname(plt))
  files = Enum.flat_map(applications, &beams.(Path.join(:code.lib_dir(&1), "ebin")))
  # One that was not finished is not there.
  unfinished = plt <> ".unfinished"

  run.(
    analysis_type: :plt_build,
    output_plt: String.to_charlist(unfinished),
    files: Enum.map(files, &String.to_charlist/1)
  )

  File.rename!(unfinished, plt)
end

files = ebin |> beams.() |> Enum.filter(of_lib?)
[_ | _] = files

warnings =
  run.(
    init_plt: String.to_charlist(plt),
    check_plt: false,
    files: Enum.map(files, &String.to_charlist/1)
  )

for warning <- warnings, do: warning |> :dialyzer.format_warning(filename_opt: :fullpath) |> IO.write()
IO.puts("dialyzer: #{length(files)} modules, #{length(warnings)} warnings")
if warnings != [], do: System.halt(1)
