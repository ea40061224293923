defmodule Vitrine.PlugTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Vitrine.Guests
  import Vitrine.PlugRequests

  @moduletag :capture_log

  # A filter that answers what it is given here, and tells the test what it was told.
  defp answering(answer) do
    test = self()

    answer = fn document ->
      send(test, {:told, document})

      if is_function(answer),
        do: answer.(Vitrine.Codec.decode(:json, document)),
        else: encode(answer)
    end

    new!(filter(), name: "filter", host_functions: %{"answer" => answer})
  end

  defp encode(text) when is_binary(text), do: text
  defp encode(term), do: elem(Vitrine.Codec.encode(:json, term), 1)

  defp run(conn, plugin, options \\ []),
    do: Vitrine.Plug.call(conn, Vitrine.Plug.init([plugin: plugin] ++ options))

  defp told do
    assert_received {:told, document}
    {:ok, document} = Vitrine.Codec.decode(:json, document)
    document
  end

  @go %{"action" => "continue"}

  # An answer that must not come through: the request is answered with 503, and nothing is changed.
  defp refused(answer, options, message) do
    conn =
      request("GET", "/", req_headers: [{"x-user", "joe"}], script_name: ["app"], path_info: [])

    log = capture_log(fn -> send(self(), {:conn, run(conn, answering(answer), options)}) end)
    assert log =~ message
    assert_received {:conn, after_it}
    assert after_it.halted
    assert_received {:sent, 503, headers, "Service Unavailable"}
    assert values(headers, "content-type") == ["text/plain; charset=utf-8"]
    assert after_it.assigns == %{}
    assert after_it.req_headers == conn.req_headers
    assert after_it.request_path == conn.request_path
    headers
  end

  describe "a plugin that fails" do
    for {what, function, reason} <- [
          {"traps", "trap", :trap},
          {"does not end", "spin", :timeout},
          {"answers nothing", "say_nothing", :codec},
          {"has no such function", "missing", :function_not_found}
        ] do
      test "and #{what}: the request is answered with 503" do
        conn =
          request("GET", "/") |> run(answering(@go), function: unquote(function), timeout: 100)

        assert conn.halted
        assert_received {:sent, 503, _, "Service Unavailable"}
      end

      test "and #{what}, with an open filter: the request goes on as it was" do
        before = request("GET", "/")
        options = [function: unquote(function), timeout: 100, on_error: :open]
        conn = run(before, answering(@go), options)
        refute_received {:sent, _, _, _}
        assert Vitrine.Plug.error(conn).reason == unquote(reason)
        assert %{conn | private: before.private} == before
      end
    end

    test "and its pool is not running: the request is answered with 503" do
      request("GET", "/") |> run(:no_such_pool)
      assert_received {:sent, 503, _, _}
    end

    test "answers with a status and body of the host's, or with what a function makes" do
      request("GET", "/") |> run(answering("no json"), on_error: {502, "no"})
      assert_received {:sent, 502, _, "no"}

      decide = fn conn, %Vitrine.Error{reason: :codec} ->
        %{conn | assigns: %{suspicious: true}}
      end

      conn = request("GET", "/") |> run(answering("no json"), on_error: decide)
      assert conn.assigns == %{suspicious: true}
      refute conn.halted
    end

    test "raises if the function makes no conn" do
      assert_raise ArgumentError, ~r/:on_error to return a conn, got: :oops/, fn ->
        request("GET", "/") |> run(answering("no json"), on_error: fn _, _ -> :oops end)
      end
    end

    test "with an answer that is too large" do
      large = %{"action" => "respond", "body" => String.duplicate("x", 1000)}
      request("GET", "/") |> run(answering(large), change: [:respond], max_answer_bytes: 1000)
      assert_received {:sent, 503, _, _}
    end
  end

  describe "an answer that goes too far is refused as a whole" do
    test "because it makes no sense" do
      refused("[]", [], ~s(an object with a field "action"))
      refused(%{}, [], ~s(an object with a field "action"))
      refused(%{"action" => "explode"}, [], ~s("continue" or "respond"))
      refused(%{"action" => ["continue"]}, [], ~s("continue" or "respond"))

      refused(
        %{"action" => "continue", "set_header" => %{}},
        [],
        ~s("set_header" is not a field of continue)
      )

      refused(
        %{"action" => "continue", "status" => 200},
        [change: [:respond]],
        ~s("status" is not a field)
      )
    end

    test "because nothing was granted" do
      refused(%{"action" => "respond"}, [], "may not respond")

      refused(
        %{"action" => "continue", "set_headers" => %{"x-user" => "root"}},
        [],
        ~s(not change "x-user")
      )

      refused(
        %{"action" => "continue", "remove_headers" => ["x-user"]},
        [],
        ~s(not change "x-user")
      )

      refused(
        %{"action" => "continue", "set_response_headers" => %{"location" => "/"}},
        [],
        "location"
      )

      refused(
        %{"action" => "continue", "remove_response_headers" => ["cache-control"]},
        [],
        "cache-control"
      )

      refused(
        %{"action" => "continue", "assign" => %{"user" => 1}},
        [],
        ~s(may not change "user")
      )

      refused(%{"action" => "continue", "path" => "/app/admin"}, [], "path: the plugin may not")
      refused(%{"action" => "continue", "query" => "a=b"}, [], "query: the plugin may not")
    end

    test "because something else was granted" do
      change = [
        :respond,
        request_headers: ["x-tenant"],
        response_headers: ["x-tenant"],
        assigns: ["tenant"]
      ]

      for answer <- [
            %{"action" => "continue", "set_headers" => [["x-tenant", "1"], ["x-user", "root"]]},
            %{"action" => "continue", "assign" => %{"tenant" => 1, "user" => 1}},
            %{
              "action" => "continue",
              "assign" => %{"tenant" => 1},
              "set_headers" => %{"x-user" => "root"}
            }
          ] do
        refused(answer, [change: change], "may not change")
      end

      for name <- ["set-cookie", "Location", "content-type"] do
        headers =
          refused(
            %{"action" => "respond", "headers" => %{name => "x"}},
            [change: change],
            "may not change"
          )

        assert values(headers, "set-cookie") == []
      end
    end

    test "because a value would break out of its header, or is not a string" do
      change = [:respond, request_headers: ["x-a"], response_headers: ["x-a"]]

      for value <- ["a\r\nset-cookie: b", "a\n", "\0", 1, nil, ["a"]],
          {action, field} <- [
            {"continue", "set_headers"},
            {"continue", "set_response_headers"},
            {"respond", "headers"}
          ] do
        refused(
          %{"action" => action, field => %{"x-a" => value}},
          [change: change],
          "not the name and value"
        )
      end

      refused(
        %{"action" => "continue", "set_headers" => "x-a: b"},
        [change: change],
        "not an object of headers"
      )

      refused(
        %{"action" => "continue", "remove_headers" => [1]},
        [change: change],
        "not a list of names"
      )
    end

    test "because the status is invalid, or does not allow a body" do
      for status <- [100, 101, 199, 600, 0, -1, "200", 200.0, %{}] do
        refused(%{"action" => "respond", "status" => status}, [change: [:respond]], "status: ")
      end

      refused(
        %{"action" => "respond", "status" => 204, "body" => "x"},
        [change: [:respond]],
        "has no body"
      )

      refused(%{"action" => "respond", "body" => %{}}, [change: [:respond]], "body: ")
      refused(%{"action" => "respond", "body_base64" => "%"}, [change: [:respond]], "not base64")
      both = %{"action" => "respond", "body" => "a", "body_base64" => "YQ=="}
      refused(both, [change: [:respond]], "one of body and body_base64")
    end

    test "because a path or query is invalid, or leaves the mount point" do
      for path <-
            [
              "",
              "app",
              "/app/a b",
              "/app/\n",
              "/app?x",
              "/app/%",
              "/app/%zz",
              "/app/é",
              "//..",
              1
            ] ++
              ["/app/..", "/app/../b", "/app/./b", "/app/%2e%2E/b", "/app/.%2e"] do
        refused(%{"action" => "continue", "path" => path}, [change: [:path]], "path: ")
      end

      for path <- ["/", "/admin", "/apple"] do
        refused(%{"action" => "continue", "path" => path}, [change: [:path]], "not below /app")
      end

      for query <- ["a b", "a#b", "a\r\n", "<", 1] do
        refused(%{"action" => "continue", "query" => query}, [change: [:query]], "query: ")
      end
    end
  end

  describe "a plugin gets" do
    test "method, scheme, host, port and path without grants" do
      secret = [{"cookie", "session=1"}, {"authorization", "Bearer 1"}]

      conn =
        request("POST", "/a/b%20c",
          query_string: "token=1",
          req_headers: secret,
          body: ["x=1"],
          port: 80
        )
        |> run(answering(@go))

      assert told() == %{
               "version" => 1,
               "method" => "POST",
               "scheme" => "http",
               "host" => "www.example.com",
               "port" => 80,
               "path" => "/a/b%20c",
               "path_info" => ["a", "b%20c"]
             }

      refute_received {:read, _}
      assert {:ok, "x=1", _} = Plug.Conn.read_body(conn)
    end

    test "everything that grants name" do
      headers = [{"accept", "a"}, {"cookie", "session=1"}, {"x-a", "1"}, {"x-a", "2"}]
      options = [read: [:query, :peer, headers: ["X-A", "accept"], assigns: [:user]]]

      request("GET", "/",
        query_string: "a=1",
        req_headers: headers,
        assigns: %{user: %{id: 7}, other: 1}
      )
      |> run(answering(@go), options)

      document = told()
      assert document["query"] == "a=1"
      assert document["peer"] == "203.0.113.9"
      assert document["headers"] == [["accept", "a"], ["x-a", "1"], ["x-a", "2"]]
      assert document["assigns"] == %{"user" => %{"id" => 7}}
    end

    test "IPv6 addresses of peers, or no peer" do
      for {ip, text} <- [{{0, 0, 0, 0, 0, 0, 0, 1}, "::1"}, {nil, nil}, {{:local, ""}, nil}] do
        request("GET", "/", remote_ip: ip) |> run(answering(@go), read: [:peer])
        assert told()["peer"] == text
      end
    end

    test "bytes that are not UTF-8 in base64, under another name" do
      request("POST", "/\xFF",
        query_string: "\xFE",
        body: ["\xFF"],
        req_headers: [{"x-a", "\xFD"}, {"x-b", "é"}]
      )
      |> run(answering(@go), read: [:query, headers: ["x-a", "x-b"], body: 10])

      document = told()
      assert document["path_base64"] == Base.encode64("/\xFF")
      assert document["path_info_base64"] == [Base.encode64("\xFF")]
      assert document["query_base64"] == Base.encode64("\xFE")
      assert document["headers"] == [["x-b", "é"]]
      assert document["headers_base64"] == [["x-a", Base.encode64("\xFD")]]
      assert document["body_base64"] == Base.encode64("\xFF")
      for field <- ~w(path path_info query body), do: refute(is_map_key(document, field))
    end

    test "bytes as bytes in MessagePack" do
      test = self()

      answer = fn document ->
        send(test, {:told, document})

        {:ok, answer} =
          Vitrine.Codec.encode(:msgpack, %{
            action: "respond",
            body: %Vitrine.Codec.MessagePack.Bin{data: "\xFF"}
          })

        answer
      end

      plugin = new!(filter(), host_functions: %{"answer" => answer})

      request("POST", "/", body: ["\xFE"], req_headers: [{"x-a", "\xFD"}])
      |> run(plugin, format: :msgpack, read: [headers: ["x-a"], body: 10], change: [:respond])

      assert_received {:told, document}

      assert {:ok, %{"body" => "\xFE", "headers" => [["x-a", "\xFD"]]}} =
               Vitrine.Codec.decode(:msgpack, document)

      assert_received {:sent, 200, _, "\xFF"}
    end

    test "host functions with a context that is made of the conn" do
      plugin =
        new!(filter(),
          host_functions: %{
            "answer" => fn _, host -> encode(%{action: "respond", body: host}) end
          }
        )

      request("GET", "/") |> run(plugin, context: & &1.host, change: [:respond])
      assert_received {:sent, 200, _, "www.example.com"}
    end
  end

  describe "bodies" do
    @limit [read: [body: 10]]

    test "that are too long are answered with 413, and read no further" do
      conn =
        request("POST", "/", body: ["123456", "789012", "345678"]) |> run(answering(@go), @limit)

      assert conn.halted
      assert_received {:sent, 413, _, "Content Too Large"}
      assert_received {:read, 6}
      assert_received {:read, 6}
      refute_received {:read, 6}
      refute_received {:told, _}
    end

    test "that are too long by their own account are not read" do
      request("POST", "/", body: ["12345678901"], req_headers: [{"content-length", "11"}])
      |> run(answering(@go), @limit)

      assert_received {:sent, 413, _, _}
      refute_received {:read, _}
    end

    test "that do not arrive are answered with an error" do
      request("POST", "/", body: ["1", {:error, :timeout}])
      |> run(answering(@go), @limit ++ [on_error: :open])

      assert_received {:sent, 408, _, _}

      request("POST", "/", body: [{:error, :closed}])
      |> run(answering(@go), @limit ++ [on_error: :open])

      assert_received {:sent, 400, _, _}
    end

    test "of several parts are answered with 415" do
      for type <- ["multipart/form-data; boundary=a", " Multipart/Mixed"] do
        request("POST", "/", body: ["1"], req_headers: [{"content-type", type}])
        |> run(answering(@go), @limit)

        assert_received {:sent, 415, _, _}
        refute_received {:read, _}
      end
    end

    test "of just the limit are given, and can be read again" do
      for chunks <- [["1234567890"], ["12345", "67890"], ["1", "2345678", "90", ""]] do
        conn = request("POST", "/", body: chunks) |> run(answering(@go), @limit)
        assert told()["body"] == "1234567890"
        assert {:ok, "1234567890", conn} = Vitrine.Plug.read_body(conn)
        assert {:ok, "", _} = Vitrine.Plug.read_body(conn)
      end
    end

    test "are given again in pieces, if that is asked for" do
      conn = request("POST", "/", body: ["1234567890"]) |> run(answering(@go), @limit)
      assert {:more, "1234", conn} = Vitrine.Plug.read_body(conn, length: 4)
      assert {:more, "5678", conn} = Vitrine.Plug.read_body(conn, length: 4)
      assert {:ok, "90", _} = Vitrine.Plug.read_body(conn, length: 4)
    end

    test "are read by one filter after the other" do
      conn = request("POST", "/", body: ["123", "456"])
      conn = conn |> run(answering(@go), @limit) |> run(answering(@go), @limit)
      assert told()["body"] == "123456"
      assert told()["body"] == "123456"
      assert {:ok, "123456", _} = Vitrine.Plug.read_body(conn)
    end

    test "that are skipped can be read whole later" do
      body = [read: [body: [max_bytes: 10, too_large: :skip, multipart: :skip]]]

      conn =
        request("POST", "/", body: ["123456", "789012", "345678"]) |> run(answering(@go), body)

      assert %{"body_skipped" => "too_large"} = document = told()
      refute is_map_key(document, "body")
      assert read_all(conn, []) == "123456789012345678"
      assert read_all(conn, length: 3) == "123456789012345678"
      # A second filter with a higher limit has all of it.
      run(conn, answering(@go), read: [body: 18])
      assert told()["body"] == "123456789012345678"

      conn =
        request("POST", "/", body: ["1"], req_headers: [{"content-type", "multipart/form-data"}])

      conn = run(conn, answering(@go), body)
      assert told()["body_skipped"] == "multipart"
      assert {:ok, "1", _} = Plug.Conn.read_body(conn)
    end

    test "that were fetched already raise" do
      for {field, options} <- [
            body_params: @limit,
            query_params: [change: [:query]],
            req_cookies: [change: [request_headers: ["cookie"]]]
          ] do
        conn = request("POST", "/", [{field, %{}}])

        assert_raise ArgumentError, ~r/must come before what fetches #{field}/, fn ->
          run(conn, answering(@go), options)
        end

        run(conn, answering(@go))
      end
    end

    defp read_all(conn, options) do
      case Vitrine.Plug.read_body(conn, options) do
        {:ok, bytes, _} -> bytes
        {:more, bytes, conn} -> bytes <> read_all(conn, options)
      end
    end
  end

  describe "a request that goes on" do
    test "is unchanged if the filter changes nothing" do
      before = request("GET", "/a", req_headers: [{"x-a", "1"}])
      assert run(before, answering(@go)) == before
      assert run(before, answering(Map.put(@go, "path", nil))) == before
    end

    test "has the headers that were set, and no other values of them" do
      headers = [{"x-user", "root"}, {"accept", "*/*"}, {"x-user", "admin"}, {"x-old", "1"}]

      answer = %{
        "action" => "continue",
        "set_headers" => %{"X-User" => "joe"},
        "remove_headers" => ["X-Old"]
      }

      conn =
        request("GET", "/", req_headers: headers)
        |> run(answering(answer), change: [request_headers: ["X-User", "x-old"]])

      assert Enum.sort(conn.req_headers) == [{"accept", "*/*"}, {"x-user", "joe"}]
    end

    test "has headers of the response to come" do
      answer = %{
        "action" => "continue",
        "set_response_headers" => [["x-a", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
        "remove_response_headers" => ["cache-control"]
      }

      conn =
        request("GET", "/",
          resp_headers: [{"x-a", "0"}, {"set-cookie", "app=1"}, {"cache-control", "x"}]
        )

      change = [response_headers: ["x-a", "set-cookie", "cache-control"]]
      conn = run(conn, answering(answer), change: change)
      assert values(conn.resp_headers, "x-a") == ["1"]
      assert values(conn.resp_headers, "set-cookie") == ["app=1", "a=1", "b=2"]
      assert values(conn.resp_headers, "cache-control") == []
    end

    test "has assigns under one key, with strings as theirs" do
      answer = %{
        "action" => "continue",
        "assign" => %{"tenant" => "acme", "plan" => %{"name" => "free"}}
      }

      change = [assigns: ["tenant", "plan"]]

      conn =
        request("GET", "/", assigns: %{current_user: 1}) |> run(answering(answer), change: change)

      assert conn.assigns == %{
               current_user: 1,
               vitrine: %{"tenant" => "acme", "plan" => %{"name" => "free"}}
             }

      more = %{"action" => "continue", "assign" => %{"tenant" => "globex"}}
      conn = run(conn, answering(more), change: change)
      assert conn.assigns.vitrine == %{"tenant" => "globex", "plan" => %{"name" => "free"}}

      assert run(conn, answering(more), change: change, assign_as: :other).assigns.other == %{
               "tenant" => "globex"
             }
    end

    test "has another path and query" do
      answer = %{"action" => "continue", "path" => "/app//v2/a%20b/", "query" => "a=1&b[]=%20"}

      conn =
        request("GET", "/app/v1", script_name: ["app"], path_info: ["v1"])
        |> run(answering(answer), change: [:path, :query])

      assert {conn.request_path, conn.path_info} == {"/app//v2/a%20b/", ["v2", "a%20b"]}
      assert conn.query_string == "a=1&b[]=%20"
    end
  end

  describe "a request that is answered" do
    test "halts the pipeline" do
      answer = %{
        "action" => "respond",
        "status" => 403,
        "headers" => %{"x-why" => "no"},
        "body" => "<script>"
      }

      change = [:respond, response_headers: ["x-why"]]

      conn =
        request("GET", "/", resp_headers: [{"x-frame-options", "DENY"}])
        |> run(answering(answer), change: change)

      assert conn.halted
      assert_received {:sent, 403, headers, "<script>"}

      # Its text is not a page, whatever it says.
      assert Enum.sort(headers) == [
               {"content-type", "text/plain; charset=utf-8"},
               {"x-content-type-options", "nosniff"},
               {"x-frame-options", "DENY"},
               {"x-why", "no"}
             ]
    end

    test "has the status 200 and no body by default" do
      request("GET", "/") |> run(answering(%{"action" => "respond"}), change: [:respond])
      assert_received {:sent, 200, _, ""}
    end

    test "has bytes and a content type that was granted" do
      answer = %{
        "action" => "respond",
        "headers" => %{"content-type" => "image/gif"},
        "body_base64" => Base.encode64("GIF\xFF")
      }

      request("GET", "/")
      |> run(answering(answer), change: [:respond, response_headers: ["content-type"]])

      assert_received {:sent, 200, headers, "GIF\xFF"}
      assert values(headers, "content-type") == ["image/gif"]
    end
  end

  describe "responses" do
    @response [function: nil, response_function: "on_response"]

    defp answered(conn, plugin, options) do
      conn
      |> Map.put(:resp_cookies, %{"session" => %{value: "1"}})
      |> run(plugin, @response ++ options)
      |> Plug.Conn.send_resp(200, ["secret ", "page"])
    end

    test "whose filter fails are replaced, and nothing of them is sent" do
      plugin = answering("nonsense")

      request("GET", "/", resp_headers: [{"x-secret", "1"}])
      |> answered(plugin, on_error: {500, "broken"})

      assert_received {:sent, 500, headers, "broken"}
      assert values(headers, "x-secret") == []
      assert values(headers, "set-cookie") == []
    end

    test "whose filter fails go on, with an open filter" do
      conn = request("GET", "/") |> answered(answering("nonsense"), on_error: :open)
      assert_received {:sent, 200, _, "secret page"}
      assert Vitrine.Plug.error(conn).reason == :codec
    end

    test "that are sent in chunks are stopped, if their filter fails" do
      conn =
        request("GET", "/")
        |> run(answering(%{"action" => "respond"}), @response ++ [change: [:respond]])

      error =
        assert_raise Vitrine.Plug.ResponseError, ~r/may not respond/, fn ->
          Plug.Conn.send_chunked(conn, 200)
        end

      assert error.plug_status == 503
      refute_received {:chunked, _, _}
    end

    test "that are sent in chunks are changed by a function, or go on, if their filter fails" do
      plugin = answering("nonsense")

      request("GET", "/")
      |> run(plugin, @response ++ [on_error: :open])
      |> Plug.Conn.send_chunked(200)

      assert_received {:chunked, 200, _}

      mark = fn conn, _error -> %{conn | resp_headers: [{"x-unfiltered", "1"}]} end

      request("GET", "/")
      |> run(plugin, @response ++ [on_error: mark])
      |> Plug.Conn.send_chunked(200)

      assert_received {:chunked, 200, [{"x-unfiltered", "1"}]}
    end

    test "are shown to the filter as granted" do
      options = [read: [headers: ["accept"], response_headers: ["x-a"], response_body: 100]]

      request("GET", "/a",
        req_headers: [{"accept", "*/*"}],
        resp_headers: [{"x-a", "1"}, {"x-b", "2"}]
      )
      |> answered(answering(@go), options)

      assert_received {:sent, 200, _, "secret page"}
      document = told()

      assert Map.take(document, ~w(status headers body)) == %{
               "status" => 200,
               "headers" => [["x-a", "1"]],
               "body" => "secret page"
             }

      assert document["request"]["path"] == "/a"
      assert document["request"]["headers"] == [["accept", "*/*"]]

      request("GET", "/") |> answered(answering(@go), [])
      assert Map.keys(told()) == ~w(request status version)
      request("GET", "/") |> answered(answering(@go), read: [response_body: 10])
      assert told()["body_skipped"] == "too_large"

      request("GET", "/")
      |> run(answering(@go), @response ++ [read: [response_body: 10]])
      |> Plug.Conn.send_chunked(200)

      assert told()["body_skipped"] == "chunked"
    end

    test "are changed by the filter" do
      answer = %{"action" => "continue", "set_response_headers" => %{"x-a" => "2"}}

      request("GET", "/", resp_headers: [{"x-a", "1"}])
      |> answered(answering(answer), change: [response_headers: ["x-a"]])

      assert_received {:sent, 200, headers, "secret page"}
      assert values(headers, "x-a") == ["2"]
      assert values(headers, "set-cookie") != []
    end

    test "are replaced by the filter" do
      answer = %{"action" => "respond", "status" => 451, "body" => "gone"}
      request("GET", "/") |> answered(answering(answer), change: [:respond])
      assert_received {:sent, 451, headers, "gone"}
      assert values(headers, "set-cookie") == []
    end

    test "of the filter itself are not filtered" do
      options = [change: [:respond], response_function: "on_response"]
      request("GET", "/") |> run(answering(%{"action" => "respond", "body" => "mine"}), options)
      told()
      refute_received {:told, _}
    end
  end

  describe "the plugin" do
    test "may be another for each request, or none" do
      plugin = answering(@go)
      before = request("GET", "/")
      run(before, fn conn -> conn.host == "www.example.com" && plugin end)
      told()
      assert run(before, fn _ -> nil end) == before
    end

    test "may be a pool, for requests at the same time" do
      slow = fn document ->
        Process.sleep(20)
        document
      end

      functions = %{"answer" => fn document -> slow.(document) && encode(@go) end}

      pool =
        start_supervised!({Vitrine.Pool, source: filter(), size: 4, host_functions: functions})

      conns = for _ <- 1..8, do: Task.async(fn -> request("GET", "/") |> run(pool) end)
      for conn <- Task.await_many(conns, 60_000), do: refute(conn.halted)
    end

    test "may be compiled, for an instance of its own for each request" do
      {:ok, compiled} =
        Vitrine.compile(filter(), host_functions: %{"answer" => fn _ -> encode(@go) end})

      for _ <- 1..2, do: refute((request("GET", "/") |> run(compiled)).halted)
      request("GET", "/") |> run(compiled, function: "trap")
      assert_received {:sent, 503, _, _}
    end

    test "may be a real one: tenants by their API keys, and no scrapers" do
      config = %{"key:abc" => "acme"}
      pool = start_supervised!({Vitrine.Pool, source: wasm("rust_filter"), config: config})

      options = [
        read: [headers: ["x-api-key", "user-agent"]],
        change: [:respond, assigns: ["tenant"]]
      ]

      conn = request("GET", "/", req_headers: [{"x-api-key", "abc"}]) |> run(pool, options)
      assert conn.assigns == %{vitrine: %{"tenant" => "acme"}}
      assert (request("GET", "/health") |> run(pool, options)).assigns == %{}

      for {headers, status, body} <- [
            {[], 401, "an API key, please"},
            {[{"x-api-key", "abd"}], 401, "no such API key"},
            {[{"x-api-key", "abc"}, {"user-agent", "Scraper/1"}], 403, "no scrapers"}
          ] do
        assert (request("GET", "/", req_headers: headers) |> run(pool, options)).halted
        assert_received {:sent, ^status, _, ^body}
      end
    end

    test "is in the metadata of telemetry events" do
      test = self()
      on_exit(fn -> Vitrine.Telemetry.detach({__MODULE__, test}) end)

      Vitrine.Telemetry.attach({__MODULE__, test}, fn event, _measurements, metadata ->
        if self() == test and event == [:vitrine, :plug, :stop],
          do: send(test, {:event, metadata})
      end)

      request("GET", "/") |> run(answering(@go))

      assert_received {:event,
                       %{
                         plugin: "filter",
                         function: "on_request",
                         phase: :request,
                         action: :continue
                       }}

      request("GET", "/") |> run(answering(%{"action" => "respond"}), on_error: :open)
      assert_received {:event, %{action: :error, error: %{reason: :answer, plugin: "filter"}}}
    end
  end

  describe "init/1" do
    test "refuses options that are wrong" do
      for {options, message} <- [
            {[plugin: nil], ":plugin"},
            {[plugin: "filter.wasm"], ":plugin to be a pool or a server"},
            {[plugin: {:ok, "pool"}], ~s(got: {:ok, "pool"}: match on {:ok, plugin} first)},
            {[plugin: fn -> MyApp.Filter end], ":plugin"},
            {[unknown: 1], "unknown"},
            {[function: :on_request], ":function"},
            {[timeout: -1], ":timeout"},
            {[context: 1], ":context"},
            {[on_error: :maybe], ":on_error"},
            {[on_error: {200, "fine"}], ":on_error"},
            {[format: :xml], ":format"},
            {[max_answer_bytes: 0], ":max_answer_bytes"},
            {[assign_as: "a"], ":assign_as"},
            {[read: :all], ":read"},
            {[read: [:everything]], "unknown option of :read: :everything"},
            {[read: [headers: "accept"]], ":headers"},
            {[read: [headers: ["a b"]]], "to be headers that can be granted"},
            {[read: [headers: ["a" | "b"]]], ":headers of :read to be a list"},
            {[read: ["query"]], ":read to be a keyword list"},
            {[read: [:query | :peer]], ":read to be a list"},
            {[read: [body: [:max_bytes]]], ":body to be a keyword list"},
            {[read: [body: :all]], ":body"},
            {[read: [body: [too_large: :skip]]], ":max_bytes"},
            {[read: [body: [max_bytes: 1, multipart: :parse]]], ":multipart"},
            {[read: [assigns: ["user"]]], ":assigns"},
            {[change: [:everything]], "unknown option of :change: :everything"},
            {[change: [respond: 1]], ":respond"},
            {[change: [assigns: [:user]]], ":assigns"},
            {[change: [request_headers: ["host"]]], "to be headers that can be granted"},
            {[change: [request_headers: ["content-length"]]],
             "to be headers that can be granted"},
            {[change: [response_headers: ["Transfer-Encoding"]]],
             "to be headers that can be granted"}
          ] do
        options = Keyword.put_new(options, :plugin, :p)
        error = assert_raise ArgumentError, fn -> Vitrine.Plug.init(options) end
        assert error.message =~ message, inspect({options, error})
      end

      assert_raise ArgumentError, ~r/:plugin/, fn -> Vitrine.Plug.init([]) end
      assert_raise ArgumentError, ~r/keyword list/, fn -> Vitrine.Plug.init(%{plugin: :p}) end
    end

    test "makes a term that can be stored in a compiled module" do
      options = [
        plugin: {:via, Registry, {R, "a"}},
        on_error: &__MODULE__.failed/2,
        read: [:query, body: 5]
      ]

      options = Vitrine.Plug.init(options)
      assert {^options, _} = options |> Macro.escape() |> Code.eval_quoted()
    end

    def failed(conn, _error), do: conn
  end
end
