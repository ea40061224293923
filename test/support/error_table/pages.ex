defmodule Vitrine.ErrorTable.Pages do
  @moduledoc "Plugins as filters of requests, and what they show."

  import Vitrine.Guests, only: [new!: 2]
  import Vitrine.PlugRequests

  alias Vitrine.{Codec, HTML}

  def rows, do: answers() ++ documents()

  defp answers do
    [
      {"a filter that answers a list", :answer,
       "the plugin's answer is refused: it must be an object with a field \"action\", and is []",
       fn -> filter("[]") end},
      {"a filter that answers something else", :codec,
       "the output cannot be decoded as :json: expected ident at line 1 column 2",
       fn -> filter("no JSON") end},
      {"a filter that answers an unknown action", :answer,
       "the plugin's answer is refused: \"action\" must be \"continue\" or \"respond\", and is \"explode\"",
       fn -> filter(%{"action" => "explode"}) end},
      {"a filter that answers an unknown field", :answer,
       "the plugin's answer is refused: \"statu\" is not a field of continue here; the fields are set_headers, remove_headers, assign, path, query, set_response_headers, remove_response_headers",
       fn -> filter(%{"action" => "continue", "statu" => 3}) end},
      {"a filter that responds and must not", :answer,
       "the plugin's answer is refused: the plugin may not respond",
       fn -> filter(%{"action" => "respond"}) end},
      {"a filter that changes a header it must not", :answer,
       "the plugin's answer is refused: set_headers: the plugin may not change \"cookie\"",
       fn -> filter(%{"action" => "continue", "set_headers" => %{"cookie" => "a"}}) end},
      {"a filter that changes the path and must not", :answer,
       "the plugin's answer is refused: path: the plugin may not change it",
       fn -> filter(%{"action" => "continue", "path" => "/admin"}) end},
      {"a filter that leaves its mount", :answer,
       "the plugin's answer is refused: path: \"/admin\" is not below /app",
       fn -> filter(%{"action" => "continue", "path" => "/admin"}, change: [:path]) end},
      {"a filter whose path has dots", :answer,
       "the plugin's answer is refused: path: \"/app/../admin\" is not a path, with a slash first and no dots as segments",
       fn -> filter(%{"action" => "continue", "path" => "/app/../admin"}, change: [:path]) end},
      {"a filter whose path is too long", :answer,
       "the plugin's answer is refused: path: it has 100005 bytes; the limit is 16384 bytes",
       fn ->
         filter(%{"action" => "continue", "path" => "/app/" <> String.duplicate("a", 100_000)},
           change: [:path]
         )
       end},
      {"a filter whose query is not one", :answer,
       "the plugin's answer is refused: query: \"a b\" is not a query",
       fn -> filter(%{"action" => "continue", "query" => "a b"}, change: [:query]) end},
      {"a filter whose status is a text", :answer,
       "the plugin's answer is refused: status: \"200\" is not a value that it can have",
       fn -> filter(%{"action" => "respond", "status" => "200"}, change: [:respond]) end},
      {"a filter whose body is not base64", :answer,
       "the plugin's answer is refused: body_base64: it is not base64",
       fn -> filter(%{"action" => "respond", "body_base64" => "%"}, change: [:respond]) end},
      {"a filter with two bodies", :answer,
       "the plugin's answer is refused: only one of body and body_base64 can be given",
       fn ->
         filter(%{"action" => "respond", "body" => "a", "body_base64" => ""}, change: [:respond])
       end},
      {"a filter with a body where there is none", :answer,
       "the plugin's answer is refused: a response with the status 204 has no body",
       fn ->
         filter(%{"action" => "respond", "status" => 204, "body" => "a"}, change: [:respond])
       end},
      {"a filter whose headers are a list of texts", :answer,
       "the plugin's answer is refused: headers: \"a\" is not the name and value of a header",
       fn ->
         filter(%{"action" => "respond", "headers" => ["a"]},
           change: [:respond, response_headers: ["a"]]
         )
       end}
    ]
  end

  # The error is found where the host looks for it.
  defp filter(answer, options \\ []) do
    text = if is_binary(answer), do: answer, else: answer |> json()
    plugin = new!(filter(), name: "filter", host_functions: %{"answer" => fn _ -> text end})
    conn = request("GET", "/", script_name: ["app"], path_info: [])
    options = Vitrine.Plug.init([plugin: plugin, on_error: :open] ++ options)
    {:error, conn |> Vitrine.Plug.call(options) |> Vitrine.Plug.error()}
  end

  defp json(term), do: elem(Codec.encode(:json, term), 1)

  defp documents do
    [
      {"HTML that is too long", :html,
       "the plugin's HTML cannot be shown: it has 6 bytes; the limit is 5 bytes (max_bytes: 5)",
       fn -> HTML.sanitize("123456", namespace: "a", max_bytes: 5) end},
      {"HTML of too many elements", :html,
       "the plugin's HTML cannot be shown: it has too many elements, which is more than 32768, more than 256 attributes in a tag, or markup that takes a parser as long",
       fn ->
         HTML.sanitize("<b #{Enum.map_join(1..1000, " ", &"phx-value-a#{&1}")}>", namespace: "a")
       end},
      {"HTML that is nested too deep", :html,
       "the plugin's HTML cannot be shown: it is nested too deep; the limit is 64 elements within each other (max_depth: 64)",
       fn -> HTML.sanitize(String.duplicate("<b>", 2_000), namespace: "a") end},
      {"HTML that takes a parser too long", :html,
       "the plugin's HTML cannot be shown: it has too many elements, which is more than 32768, more than 256 attributes in a tag, or markup that takes a parser as long",
       fn -> HTML.sanitize(String.duplicate("<table><b>x", 23_000), namespace: "a") end}
    ]
  end
end
