defmodule Vitrine.HTMLTest do
  use ExUnit.Case, async: true

  import Vitrine.Property

  alias Vitrine.{Error, HTML, Native}

  doctest Vitrine.HTML

  defp clean!(html, options \\ []) do
    {:ok, safe} = HTML.sanitize(html, [namespace: "game"] ++ options)
    safe
  end

  describe "sanitize/2 with options that are wrong" do
    test "a namespace is required, and must be plain" do
      for namespace <- [
            nil,
            "",
            "a b",
            "a--b",
            "-a",
            "a-",
            "1a",
            "a:b",
            "é",
            String.duplicate("a", 65),
            :game
          ] do
        assert_raise ArgumentError, ~r/expected :namespace to be/, fn ->
          HTML.sanitize("x", namespace: namespace)
        end
      end

      for namespace <- ["a", "tic-tac-toe", "game_2", "A1"],
          do: assert({:ok, "x"} = HTML.sanitize("x", namespace: namespace))
    end

    test "each error says what the option should be" do
      for {key, value} <- [
            events: ["hook"],
            events: "click",
            events: ["click" | "focus"],
            target: :a,
            classes: [:a],
            schemes: ["HTTP"],
            images: "*",
            own_hosts: "shop.example",
            own_hosts: ["https://shop.example"],
            own_hosts: ["Shop.example"],
            own_hosts: [".shop.example"],
            schemes: ["https" | "http"],
            tags: [1],
            tags: ["b" | "i"],
            attributes: ["x"],
            attributes: [{"b", "x"} | {"b", "y"}],
            properties: nil,
            contained: nil,
            max_bytes: 0,
            max_depth: 257
          ] do
        assert_raise ArgumentError, ~r/expected #{inspect(key)} to be/, fn ->
          clean!("x", [{key, value}])
        end
      end

      assert_raise ArgumentError, ~r/unknown option: :x/, fn -> clean!("x", x: 1) end

      assert_raise ArgumentError, ~r/the options to be a keyword list/, fn ->
        HTML.sanitize("x", %{namespace: "a"})
      end

      for html <- [nil, {:ok, "<p>"}, [:p]], function <- [&HTML.sanitize/2, &HTML.parse/2] do
        assert_raise ArgumentError, ~r/expected the HTML to be a binary or iodata, got: /, fn ->
          function.(html, namespace: "a")
        end
      end
    end

    test "links lead to none of the host's own names" do
      link = ~s(<a href="https://www.shop.example/logout">out</a>)
      assert clean!(link) =~ "logout"
      refute clean!(link, own_hosts: ["shop.example"]) =~ "logout"
    end

    test "schemes and tags that run code cannot be allowed" do
      assert_raise ArgumentError, ~r/element "script" cannot be allowed/, fn ->
        clean!("x", tags: ["script"])
      end

      assert_raise ArgumentError, ~r/attribute "onclick" cannot be allowed/, fn ->
        clean!("x", attributes: [{"b", "onclick"}])
      end

      assert_raise ArgumentError, ~r/scheme "javascript" cannot be allowed/, fn ->
        clean!("x", schemes: ["javascript"])
      end
    end
  end

  describe "sanitize/2 of documents that cannot be made safe" do
    test "a long document is an error" do
      assert {:error, %Error{reason: :html, message: message}} =
               HTML.sanitize("123456", namespace: "a", max_bytes: 5)

      assert message =~ "it has 6 bytes; the limit is 5 bytes (max_bytes: 5)"
    end

    test "a deep document is an error, also of a million elements" do
      html = String.duplicate("<b>", 1_000_000)

      for options <- [[], [max_bytes: 4_000_000]] do
        assert {:error, %Error{reason: :html}} = HTML.sanitize(html, [namespace: "a"] ++ options)
      end
    end
  end

  describe "sanitize/2 of documents that would take long" do
    test "answers with an error" do
      for piece <- ["<", "<table><b>x", "</span><i>", "<p a></p><b>"] do
        html = String.duplicate(piece, div(250 * 1024, byte_size(piece)))
        assert {:error, %Error{reason: :html}} = HTML.sanitize(html, namespace: "a")
      end

      attributes = Enum.map_join(1..1000, " ", &"phx-value-a#{&1}")
      assert {:error, %Error{} = error} = HTML.sanitize("<b #{attributes}>", namespace: "a")
      assert error.message =~ "more than 256 attributes in a tag"
    end
  end

  describe "sanitize/2" do
    test "takes iodata, and bytes that are not UTF-8" do
      assert clean!(["<p>", [?a, "b"], 255]) == "<p>ab\uFFFD</p>"
    end

    test "drops everything that runs code" do
      assert clean!(
               "<img src=x onerror=alert(1)><svg onload=alert(1)></svg><a href=javascript:x>y</a>"
             ) ==
               ~s(<img referrerpolicy="no-referrer"><svg></svg><a>y</a>)
    end

    test "keeps the events that the host allows" do
      html = ~s(<b phx-click="a" phx-window-keydown="b" phx-focus="c">x</b>)
      assert clean!(html) == ~s(<b phx-click="vitrine:game:a" phx-focus="vitrine:game:c">x</b>)

      assert clean!(html, events: ["window-keydown"]) ==
               ~s(<b phx-window-keydown="vitrine:game:b">x</b>)

      assert clean!(html, events: []) == "<b>x</b>"
    end

    test "sends events where the host says" do
      html = ~s(<b phx-click="a" phx-target="#host">x</b>)
      assert clean!(html, target: 3) == ~s(<b phx-click="vitrine:game:a" phx-target="3">x</b>)
      assert clean!(html, target: "#a") == ~s(<b phx-click="vitrine:game:a" phx-target="#a">x</b>)
    end

    test "keeps what the host adds" do
      html =
        ~s(<big itemid=1><b class="btn x" style="columns:2">x</b></big><a href="ftp://a/">y</a>)

      assert clean!(html,
               tags: ["big"],
               attributes: [{"*", "itemid"}],
               classes: ["btn"],
               properties: ["columns"],
               schemes: ["ftp"]
             ) ==
               ~s(<big itemid="1"><b class="btn game--x" style="columns:2">x</b></big>) <>
                 ~s(<a href="ftp://a/" rel="noopener noreferrer nofollow" target="_blank">y</a>)

      # Nothing that was kept for another host is used for this one.
      assert clean!(html) == ~s(<b class="game--btn game--x">x</b><a>y</a>)
    end

    test "does not mistake one plugin for another" do
      for namespace <- ["a", "b", "a-b"] do
        assert {:ok, html} = HTML.sanitize("<p id=x>", namespace: namespace)
        assert html == ~s(<p id="#{namespace}--x"></p>)
      end
    end
  end

  describe "HTML on a scheduler:" do
    setup do
      %{policy: HTML.Options.policy!(namespace: "game")}
    end

    test "a normal scheduler works only on short documents", %{policy: policy} do
      assert Native.html_sanitize("<p>x", policy) == {:ok, "<p>x</p>"}

      # As every parser reads it, which one scan says.
      strict = String.duplicate("<p class=\"a\">x</p>", 100)
      assert {:ok, _html} = Native.html_sanitize(strict, policy)
      assert {:ok, _part} = Native.html_parse(strict, policy)

      for loose <- [String.duplicate("<b>x</b><p>", 100), String.duplicate("<p>", 1000)] do
        assert {:more, document} = Native.html_sanitize(loose, policy)
        assert {_pieces, {:ok, html}} = go_on(document)
        assert html == clean!(loose)
        assert {:more, document} = Native.html_parse(loose, policy)
        assert {_pieces, {:ok, {{_fingerprint, _dynamics}, %{}}}} = go_on(document)
      end
    end

    test "a dirty scheduler is left between two steps of a long document", %{policy: policy} do
      loose = String.duplicate("<p>Some <b>words</b><ul><li>and <i>more</i></ul>", 5000)
      assert {:more, document} = Native.html_parse_dirty(loose, policy)
      assert {pieces, {:ok, _part}} = go_on(document)
      assert pieces >= 2

      assert {:ok, tree} = HTML.parse(loose, namespace: "game")
      assert IO.iodata_to_binary(HTML.to_iodata(tree)) == clean!(loose)
    end

    test "an error leaves no work behind", %{policy: policy} do
      loose = String.duplicate("<i>", 1000)
      assert {:more, document} = Native.html_sanitize(loose, policy)
      assert {_pieces, {:error, _message}} = go_on(document)
      assert {:error, _message} = Native.html_resume_dirty(document)
    end

    defp go_on(document, pieces \\ 1) do
      case Native.html_resume_dirty(document) do
        {:more, document} -> go_on(document, pieces + 1)
        answer -> {pieces, answer}
      end
    end
  end

  describe "parse/2" do
    test "has the same document as sanitize/2" do
      pieces = [
        "<p>",
        "</p>",
        "<li>",
        "<b class=x>",
        "text",
        "<br>",
        "<table><tr><td>",
        "<!--",
        "\"",
        "<script>",
        "é"
      ]

      forall(fn -> list(fn -> Enum.random(pieces) end, 30) end, 300, fn pieces ->
        html = Enum.join(pieces)
        assert {:ok, tree} = HTML.parse(html, namespace: "game")
        assert IO.iodata_to_binary(HTML.to_iodata(tree)) == clean!(html)
      end)
    end

    test "is the same however a document is written" do
      strict =
        ~s(<div class="a b" title="x &lt; y"><p>1 &amp; 2</p><table><tbody><tr><td>x</td></tr></tbody></table>) <>
          ~s(<svg viewBox="0 0 9 9"><rect width="3" fill="red"></rect></svg></div>)

      loose =
        "<!-- --><div title='x < y' class='a b'><p>1 & 2<table><tr><td>x</table>" <>
          "<svg viewbox='0 0 9 9'><rect fill=red width=3 /></svg></div>"

      assert HTML.parse(strict, namespace: "game") == HTML.parse(loose, namespace: "game")
    end

    test "is an error for what sanitize/2 refuses" do
      assert {:error, %Error{reason: :html}} =
               HTML.parse(String.duplicate("<i>", 1000), namespace: "game")
    end

    test "has equal trees for equal documents" do
      assert HTML.parse("<p>x</p>", namespace: "game") == HTML.parse("<p >x", namespace: "game")
    end
  end

  describe "event/2" do
    test "takes the plugin's events and no others" do
      assert HTML.event("game", "vitrine:game:a:b") == {:ok, "a:b"}
      assert HTML.event("game", "vitrine:game:") == {:ok, ""}

      for event <- [
            "a",
            "",
            "vitrine:game",
            "vitrine:other:a",
            "vitrine:games:a",
            " vitrine:game:a"
          ],
          do: assert(HTML.event("game", event) == :error)
    end
  end

  describe "params/2" do
    test "keeps the fields of other forms apart" do
      assert HTML.params("game", %{"other" => %{"a" => "1"}, "game" => %{"b" => "2"}}) ==
               %{"other" => %{"a" => "1"}, "b" => "2"}

      # A value of the same name as the namespace is not a field.
      assert HTML.params("game", %{"game" => "x"}) == %{"game" => "x"}
      assert HTML.params("game", %{"_target" => ["other", "a"]}) == %{"_target" => ["other", "a"]}
    end
  end
end
