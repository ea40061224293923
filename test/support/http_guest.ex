defmodule Vitrine.HTTPGuest do
  @moduledoc "A guest that makes the requests that tests want, and what it takes to ask it."

  import Vitrine.Guests

  @doc "The guest, which may reach the loopback interface by its address."
  def plugin!(options \\ []) do
    new!(wat("http"), Keyword.put_new(options, :allowed_hosts, ["127.0.0.1"]))
  end

  @doc "Makes a request: `fields` are those of its JSON besides the URL."
  def get(plugin, url, fields \\ [], options \\ []) do
    Vitrine.call(plugin, "get", json([{"url", url} | fields]), options)
  end

  @doc "Makes a request with a body."
  def post(plugin, url, body, fields \\ [{"method", "POST"}], options \\ []) do
    Vitrine.call(plugin, "post", [json([{"url", url} | fields]), "\n", body], options)
  end

  def status(plugin), do: String.to_integer(Vitrine.call!(plugin, "status"))
  def headers(plugin), do: Vitrine.call!(plugin, "headers")

  @doc "The JSON text of pairs, whose values are strings or pairs again."
  def json(pairs) do
    fields = Enum.map_join(pairs, ",", fn {name, value} -> "#{text(name)}:#{value(value)}" end)
    "{#{fields}}"
  end

  defp value(pairs) when is_list(pairs), do: json(pairs)
  defp value(string), do: text(string)

  defp text(string) do
    escaped = for <<byte <- string>>, into: "", do: escape(byte)
    ~s("#{escaped}")
  end

  defp escape(byte) when byte < 0x20 or byte in [?", ?\\],
    do: "\\u00" <> Base.encode16(<<byte>>)

  defp escape(byte), do: <<byte>>
end
