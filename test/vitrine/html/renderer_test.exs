defmodule Vitrine.HTML.RendererTest do
  use ExUnit.Case, async: true

  import Vitrine.Property

  alias Vitrine.{HTML, LiveViewModel}
  alias Vitrine.HTML.Renderer

  # It is where LiveView is.
  @compile {:no_warn_undefined, Phoenix.LiveView.Diff}
  @real? Code.ensure_loaded?(Phoenix.LiveView.Diff)

  defp parse!(html) do
    {:ok, tree} = HTML.parse(html, namespace: "game")
    tree
  end

  # The diffs that are sent to a browser for these documents in turn. The browser must show each document.
  defp send_all(documents, kind) do
    first = {nil, nil, nil, []}

    {_previous, _prints, _has, sent} =
      Enum.reduce(documents, first, fn html, {previous, prints, has, sent} ->
        tree = parse!(html)
        {diff, prints} = diff(tree, previous, prints, kind)
        has = if has, do: LiveViewModel.merge(has, diff), else: LiveViewModel.merge(%{}, diff)
        assert LiveViewModel.show(has) == IO.iodata_to_binary(HTML.to_iodata(tree))
        {tree, prints, has, [diff | sent]}
      end)

    Enum.reverse(sent)
  end

  # The real one, of which the oldest keep the fingerprints in the socket.
  defp diff(tree, previous, prints, :real) do
    diff = Phoenix.LiveView.Diff
    rendered = HTML.to_rendered(tree, previous)
    {socket, fingerprints, components} = prints || new(diff)

    if function_exported?(diff, :render, 4) do
      {sent, fingerprints, components} = diff.render(socket, rendered, fingerprints, components)
      {sent, {socket, fingerprints, components}}
    else
      {socket, sent, components} = diff.render(socket, rendered, components)
      {sent, {socket, nil, components}}
    end
  end

  defp diff(tree, previous, prints, kind),
    do:
      tree |> Renderer.render(previous, LiveViewModel.structs(kind)) |> LiveViewModel.diff(prints)

  defp new(diff) do
    Code.ensure_loaded!(diff)
    {struct(Phoenix.LiveView.Socket), diff.new_fingerprints(), diff.new_components()}
  end

  defp document, do: Enum.map_join(1..Enum.random(1..3), fn _ -> element(3) end)

  defp element(0), do: Enum.random(["", "x", "y", " ", "1 &lt; 2"])

  defp element(depth) do
    case Enum.random(1..6) do
      1 ->
        element(0)

      2 ->
        "<input#{attributes()}>"

      3 ->
        "<ul>#{Enum.map_join(items(), &"<li#{id(&1)}>#{element(depth - 1)}</li>")}</ul>"

      _ ->
        "<div#{attributes()}>#{Enum.map_join(1..Enum.random(1..3), fn _ -> element(depth - 1) end)}</div>"
    end
  end

  defp attributes, do: Enum.random(["", " class=a", " class=b", " class=a title=b", " disabled"])
  defp items, do: Enum.take_random(1..20, Enum.random([0, 1, 3, 15, 16, 17, 20]))
  defp id(number), do: Enum.random([" id=i#{number}", " id=i#{number}", ""])

  # A document and what becomes of it: often the same with other values.
  defp documents do
    Enum.scan(1..Enum.random(2..6), document(), fn _, html ->
      case Enum.random(1..4) do
        1 -> document()
        2 -> html
        3 -> String.replace(html, "x", "z")
        4 -> html |> String.replace("class=a", "class=c") |> String.replace("y", "<b>y</b>")
      end
    end)
  end

  describe "to_rendered/2" do
    for kind <- [:plain, :keyed] ++ if(@real?, do: [:real], else: []) do
      test "sends changes that add up to the whole document (#{kind})" do
        forall(&documents/0, 300, &send_all(&1, unquote(kind)))
      end
    end

    test "sends nothing of an equal document" do
      for kind <- [:plain, :keyed] do
        html = "<div class=a><p>1</p><ul>#{String.duplicate("<li>x</li>", 20)}</ul></div>"
        assert [_whole, %{}] = sent = send_all([html, html], kind)
        assert List.last(sent) == %{}
      end
    end

    test "sends only the text that changes" do
      html = &"<div class=a><p>one</p><p class=b>#{&1}</p></div>"
      assert [_, sent] = send_all([html.("x"), html.("y")], :plain)
      assert sent == %{1 => %{1 => %{1 => "y"}}}
    end

    test "sends an element that changes its shape, and not its siblings" do
      html = &"<div><p>one</p>#{&1}<p>three</p></div>"
      assert [_, sent] = send_all([html.("<p>x</p>"), html.("<p lang=en>x</p>")], :plain)
      assert sent == %{0 => %{1 => %{0 => "en", 1 => "x", s: ["<p lang=\"", "\">", "</p>"]}}}
    end

    test "sends only the new one of many siblings where lists have keys" do
      html = &"<ul>#{Enum.map_join(&1, fn n -> "<li id=i#{n}>item #{n}</li>" end)}</ul>"
      assert [_, sent] = send_all([html.(1..100), html.(1..101)], :keyed)
      assert LiveViewModel.bytes(sent) < 120

      # At the front the others say that they moved.
      assert [whole, sent] = send_all([html.(1..100), html.(0..100)], :keyed)
      assert LiveViewModel.bytes(sent) < LiveViewModel.bytes(whole) / 3
    end

    test "sends the first document whole" do
      tree = parse!("<p>x</p>")
      rendered = Renderer.render(tree, tree, LiveViewModel.structs(:plain))
      assert {%{0 => "x", s: ["<p>", "</p>"]}, _} = LiveViewModel.diff(rendered, nil)
    end

    unless @real? do
      test "answers with safe iodata without LiveView" do
        assert {:safe, iodata} = HTML.to_rendered(parse!("<p>1 &lt; 2"), nil)
        assert IO.iodata_to_binary(iodata) == "<p>1 &lt; 2</p>"
      end
    end
  end

  describe "a root, which a browser leaves alone where nothing in it is new" do
    # The static texts of the roots that a browser is told of.
    defp roots(html) do
      for kind <- [:plain, :keyed] do
        rendered = Renderer.render(parse!(html), nil, LiveViewModel.structs(kind))
        {diff, _prints} = LiveViewModel.diff(rendered, nil)
        diff |> roots_of() |> Enum.uniq() |> Enum.sort()
      end
    end

    defp roots_of(%{r: 1, s: [tag | _]} = diff), do: [tag | roots_of(Map.delete(diff, :r))]
    defp roots_of(%{} = diff), do: diff |> Map.values() |> Enum.flat_map(&roots_of/1)
    defp roots_of(list) when is_list(list), do: Enum.flat_map(list, &roots_of/1)
    defp roots_of(_other), do: []

    test "is not an element of a small document" do
      assert roots("<p>a</p> <b>c</b>") == [[], []]
    end

    test "is each of many siblings" do
      assert roots(String.duplicate("<p>x</p>", 40)) == [["<p>"], ["<p>"]]
    end

    test "is a row of a board, and none of its cells" do
      row = "<div>#{String.duplicate("<b>x</b>", 20)}</div>"
      board = "<p>a</p><main>#{String.duplicate(row, 20)}</main>"
      assert roots(board) == [["<div>", "<main>", "<p>"], ["<div>", "<main>", "<p>"]]
    end
  end

  describe "bytes on the wire" do
    defp tic_tac_toe(cells, status) do
      buttons =
        for {mark, cell} <- Enum.with_index(cells) do
          if mark == "",
            do:
              ~s(<button class="cell" phx-click="move" phx-value-cell="#{cell}" aria-label="Cell #{cell}"></button>),
            else:
              ~s(<button class="cell #{mark}" disabled aria-label="Cell #{cell}">#{mark}</button>)
        end

      ~s(<section class="game"><h2>Tic-tac-toe</h2><p class="status">#{status}</p><div class="board">#{buttons}</div>) <>
        ~s(<button class="restart" phx-click="restart">New game</button></section>)
    end

    # A glider and noise: what one click, and what one generation, changes.
    defp life(alive) do
      rows =
        for y <- 0..19 do
          cells =
            for x <- 0..19 do
              class = if {x, y} in alive, do: "cell alive", else: "cell"

              ~s(<td class="#{class}" phx-click="toggle" phx-value-x="#{x}" phx-value-y="#{y}"></td>)
            end

          "<tr>#{cells}</tr>"
        end

      ~s(<div class="life"><p>Generation <b>1</b></p><table>#{rows}</table></div>)
    end

    defp generation(alive) do
      neighbours =
        for {x, y} <- alive, dx <- -1..1, dy <- -1..1, {dx, dy} != {0, 0}, do: {x + dx, y + dy}

      for {{x, y} = cell, count} <- Enum.frequencies(neighbours),
          x in 0..19 and y in 0..19 and (count == 3 or (count == 2 and cell in alive)),
          do: cell
    end

    # Against the whole document as one string, which is what a raw string sends.
    defp saved(before, now, kind) do
      [_whole, sent] = send_all([before, now], kind)
      whole = now |> parse!() |> HTML.to_iodata() |> IO.iodata_to_binary()
      LiveViewModel.bytes(%{0 => whole}) / LiveViewModel.bytes(sent)
    end

    for kind <- [:plain, :keyed] ++ if(@real?, do: [:real], else: []) do
      test "a move of tic-tac-toe takes at least 5 times fewer (#{kind})" do
        before = tic_tac_toe(["X", "", "", "", "O", "", "", "", ""], "X to move")
        now = tic_tac_toe(["X", "", "X", "", "O", "", "", "", ""], "O to move")
        assert saved(before, now, unquote(kind)) >= 5
      end

      test "a click on a Life board of 400 cells takes at least 20 times fewer (#{kind})" do
        alive = [{2, 1}, {3, 2}, {1, 3}, {2, 3}, {3, 3}]
        assert saved(life(alive), life([{10, 10} | alive]), unquote(kind)) >= 20
      end

      test "a generation of Life takes at least 20 times fewer (#{kind})" do
        blinkers = for x <- [3, 9, 15], y <- [3, 9, 15], dx <- -1..1, do: {x + dx, y}
        assert saved(life(blinkers), life(generation(blinkers)), unquote(kind)) >= 20
      end
    end
  end
end
