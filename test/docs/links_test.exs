defmodule Vitrine.Docs.LinksTest do
  @moduledoc """
  Links in the README, the changelog, the guides and the documentation of modules lead to a file that exists, and to a
  heading in it.

  Files link to each other by relative paths, as GitHub follows them. Documentation of modules links to a guide by
  the guide's file name alone, which is where ExDoc puts the page. Both link to a section of a module's page as
  `Vitrine.Manifest.html#module-manifests-of-others`.
  """
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)
  @link ~r/\[[^\]\[]*\]\(([^)\s]+)\)/

  test "links in Markdown files lead to files and headings" do
    assert broken(markdown(), &leads_from_file?/2) == []
  end

  test "links in the documentation of modules lead to guides and headings" do
    assert broken(module_docs(), &leads_from_module?/2) == []
  end

  test "the documentation lists every guide, in the group of its folder" do
    listed =
      for {group, paths} <- Mix.Project.config()[:docs][:groups_for_extras], path <- paths do
        assert ["guides", folder, _] = Path.split(path)
        assert folder == String.downcase(Atom.to_string(group))
        path
      end

    assert Enum.sort(listed) == Enum.sort(wildcard("guides/**/*.md"))
  end

  test "the places that the guide on calls names in its way through the sources exist" do
    guide = File.read!(Path.join(@root, "guides/internals/how-a-call-runs.md"))
    [_, way] = String.split(guide, "## The way through the sources\n")
    places = for [_, place] <- Regex.scan(~r"`((?:lib|native|kernel)/[^`]+)`", way), do: place

    assert length(places) > 15
    assert Enum.reject(places, &File.exists?(Path.join(@root, &1))) == []
  end

  test "each guide has a file name of its own, so that its page has an address of its own" do
    names = Enum.map(wildcard("guides/**/*.md"), &Path.basename/1)
    assert names -- Enum.uniq(names) == []
  end

  defp broken(texts, leads?) do
    for {name, text} <- texts,
        [_, link] <- Regex.scan(@link, without_code(text)),
        not (link =~ ~r/^[a-z]+:/),
        not leads?.(name, link),
        do: {name, link}
  end

  defp leads_from_file?(path, link) do
    case target(link) do
      {"", anchor} -> heading?(path, anchor)
      {"Vitrine" <> _ = page, anchor} -> section?(page, anchor)
      {file, anchor} -> heading?(expand(path, file), anchor)
    end
  end

  defp leads_from_module?(module, link) do
    case target(link) do
      {"", anchor} -> section?(inspect(module) <> ".html", anchor)
      {"Vitrine" <> _ = page, anchor} -> section?(page, anchor)
      {file, anchor} -> Enum.any?([file | wildcard("guides/*/#{file}")], &heading?(&1, anchor))
    end
  end

  defp target(link) do
    case String.split(link, "#", parts: 2) do
      [path] -> {path, nil}
      [path, anchor] -> {path, anchor}
    end
  end

  defp expand(from, file) do
    [@root, Path.dirname(from), file] |> Path.join() |> Path.expand() |> Path.relative_to(@root)
  end

  defp heading?(path, nil), do: File.exists?(Path.join(@root, path))

  defp heading?(path, anchor) do
    case File.read(Path.join(@root, path)) do
      {:ok, text} -> anchor in anchors(text)
      {:error, _} -> false
    end
  end

  defp section?(page, anchor) do
    {module, []} = page |> Path.rootname() |> Code.eval_string()
    anchor == nil or anchor in Enum.map(anchors(module_doc(module)), &"module-#{&1}")
  end

  defp anchors(text) do
    for [_, heading] <- Regex.scan(~r/^#+ (.+)$/m, without_code(text)) do
      heading
      |> String.downcase()
      |> String.replace(~r/[^\w\- ]/u, "")
      |> String.replace(" ", "-")
    end
  end

  # A line of code may look like a link or a heading.
  defp without_code(text), do: String.replace(text, ~r/^ *```.*?^ *```/ms, "")

  defp markdown do
    ["*.md", "guides/**/*.md", "{bench,examples,kernel,native,test,tools}/**/README.md"]
    |> Enum.flat_map(&wildcard/1)
    |> Enum.reject(&(&1 =~ ~r"/(deps|node_modules|target|_build)/"))
    |> Enum.map(&{&1, File.read!(Path.join(@root, &1))})
  end

  defp wildcard(pattern) do
    [@root, pattern] |> Path.join() |> Path.wildcard() |> Enum.map(&Path.relative_to(&1, @root))
  end

  defp module_docs do
    {:ok, modules} = :application.get_key(:vitrine, :modules)

    for module <- modules,
        {:docs_v1, _, _, _, doc, _, members} <- [Code.fetch_docs(module)],
        doc <- [doc | Enum.map(members, &elem(&1, 3))],
        %{"en" => text} <- [doc],
        not String.starts_with?(inspect(module), "Vitrine.GuideExamples"),
        do: {module, text}
  end

  defp module_doc(module) do
    case Code.fetch_docs(module) do
      {:docs_v1, _, _, _, %{"en" => text}, _, _} -> text
      _ -> ""
    end
  end
end
