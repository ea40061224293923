defmodule Vitrine.LayersTest do
  # The folders of lib/vitrine/ are layers. The code of a file refers to its own folder and to layers below it. Types
  # and documentation may refer to anything, because they need nothing at run time.
  use ExUnit.Case, async: true

  # From the bottom to the top. The folders of one line do not refer to each other, except where they are one string.
  # `codec` stands for codec/ and codec.ex.
  @layers [
    ["text", "time"],
    ["error.ex", "native"],
    ["options/"],
    ["codec", "html", "http"],
    ["manifest", "telemetry"],
    ["host_function", "trace.ex", "wasi.ex"],
    ["call plugin.ex", "compiled.ex", "inspection.ex"],
    ["loader"],
    ["process"],
    ["pool", "server"],
    ["vitrine.ex"],
    ["live_view", "plug", "test"],
    ["application.ex"]
  ]

  @facade "vitrine.ex"
  @above_the_facade ["live_view", "plug", "test"]

  # The attributes whose content is not run.
  @not_code ~w(moduledoc doc typedoc spec type typep opaque callback)a

  setup_all do
    files = for path <- Path.wildcard("lib/**/*.ex"), do: Path.relative_to(path, "lib")
    {:ok, code: Map.new(files, &{relative(&1), code(&1)})}
  end

  test "every file of lib/ belongs to one layer", %{code: code} do
    for {file, _code} <- code do
      assert match?([_one], places(file)),
             "lib/vitrine/#{file} is in no layer of this test, or in several"
    end
  end

  test "only views, plugs and the helpers for tests call the facade", %{code: code} do
    calls =
      for {file, ast} <- code,
          file != @facade,
          not Enum.any?(@above_the_facade, &in?(file, &1)) do
        for {Vitrine, line} <- references(ast), do: "#{path(file)}:#{line} refers to Vitrine"
      end

    assert calls |> Enum.concat() |> Enum.sort() == []
  end

  test "files refer to their own folder and to layers below it", %{code: code} do
    homes = for {file, ast} <- code, module <- modules(ast), into: %{}, do: {module, file}

    wrong =
      for {file, ast} <- code, {module, line} <- references(ast), home = homes[module] do
        [{layer, folder}] = places(file)
        [{other_layer, other_folder}] = places(home)

        cond do
          other_layer > layer ->
            ["#{path(file)}:#{line} refers to #{inspect(module)}, which is in a layer above"]

          other_layer == layer and other_folder != folder ->
            ["#{path(file)}:#{line} refers to #{inspect(module)}, which is beside it"]

          true ->
            []
        end
      end

    assert wrong |> Enum.concat() |> Enum.sort() == []
  end

  defp relative("vitrine/" <> file), do: file
  defp relative(file), do: file

  defp path(@facade), do: "lib/vitrine.ex"
  defp path(file), do: "lib/vitrine/#{file}"

  # The layers and folders of a file: exactly one if @layers is right.
  defp places(file) do
    for {folders, layer} <- Enum.with_index(@layers),
        folder <- folders,
        folder |> String.split(" ") |> Enum.any?(&in?(file, &1)),
        do: {layer, folder}
  end

  defp in?(file, folder) do
    cond do
      String.ends_with?(folder, ".ex") -> file == folder
      String.ends_with?(folder, "/") -> String.starts_with?(file, folder)
      true -> file == folder <> ".ex" or String.starts_with?(file, folder <> "/")
    end
  end

  defp code(file) do
    ast = "lib/#{file}" |> File.read!() |> Code.string_to_quoted!()

    Macro.prewalk(ast, fn
      {:@, _, [{name, _, _}]} when name in @not_code -> nil
      {:__aliases__, meta, [{:__MODULE__, _, _} | rest]} -> {:__aliases__, meta, own(ast) ++ rest}
      node -> node
    end)
  end

  defp own({:__block__, _, nodes}), do: Enum.find_value(nodes, &own/1)
  defp own({:defmodule, _, [{:__aliases__, _, module} | _]}), do: module
  defp own(_other), do: nil

  defp modules(ast) do
    {_ast, modules} =
      Macro.prewalk(ast, [], fn
        {:defmodule, _, [{:__aliases__, _, [:Vitrine | _] = name}, _]} = node, modules ->
          {node, [Module.concat(name) | modules]}

        node, modules ->
          {node, modules}
      end)

    modules
  end

  # The modules of Vitrine that stand in the code, with their lines.
  defp references(ast) do
    {ast, aliases} = Macro.prewalk(ast, %{}, &take_alias/2)

    {_ast, references} =
      Macro.prewalk(ast, [], fn
        {:__aliases__, meta, [first | rest]} = node, references ->
          full = Map.get(aliases, first, [first]) ++ rest
          found = if hd(full) == :Vitrine, do: [{Module.concat(full), meta[:line]}], else: []
          {node, found ++ references}

        node, references ->
          {node, references}
      end)

    references
  end

  # Removes an alias from the code and keeps what it stands for.
  defp take_alias({:alias, _, [{{:., _, [{:__aliases__, _, base}, :{}]}, _, names}]}, aliases) do
    names = for {:__aliases__, _, name} <- names, do: base ++ name
    {nil, for(name <- names, into: aliases, do: {List.last(name), name})}
  end

  defp take_alias({:alias, _, [{:__aliases__, _, name}, [as: {:__aliases__, _, [as]}]]}, aliases),
    do: {nil, Map.put(aliases, as, name)}

  defp take_alias({:alias, _, [{:__aliases__, _, name}]}, aliases),
    do: {nil, Map.put(aliases, List.last(name), name)}

  defp take_alias(node, aliases), do: {node, aliases}
end
