defmodule Vitrine.DoubleFreeTest do
  # Some PDKs free what they gave to the host, although it was the host's to free.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  alias Vitrine.EchoServer

  defp plugin!(options), do: new!(wat("double_free"), options)

  # The input and the output are of about the same length, so that one fits in the other's place.

  test "config_get: the value is not lost with its key" do
    plugin = plugin!(config: %{"key" => "val"})
    assert Vitrine.call(plugin, "config_value", "key") == {:ok, "val"}
  end

  test "var_get: the value is not lost with its key" do
    assert Vitrine.call(plugin!([]), "var_value", "bytes") == {:ok, "bytes"}
  end

  test "http_request: the response is not lost with its request" do
    url = EchoServer.url(start_supervised!(EchoServer), 200)
    plugin = plugin!(allowed_hosts: ["127.0.0.1"])
    header = String.duplicate("a", 1_100)
    request = ~s({"url": "#{url}", "headers": {"X-Guest": "#{header}"}})
    assert Vitrine.call(plugin, "http_body", request) == {:ok, "GET #{header}\n"}
  end
end
