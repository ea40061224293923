defmodule Vitrine.ErrorTable.Hosts do
  @moduledoc "Errors of the host's work for a plugin: host functions, codecs and HTTP."

  import Vitrine.ErrorTable.Making
  import Vitrine.Guests, only: [new!: 2, wat: 1]

  alias Vitrine.{Codec, HostFunction}
  alias Vitrine.ErrorTable.Client

  def rows, do: functions() ++ codecs() ++ requests() ++ answers()

  defp functions do
    typed = fn type, value -> [HostFunction.new("f", [:binary], type, fn _ -> value end)] end

    [
      {"a host function that raises", :host_function,
       "the host function extism:host/user::f failed", fn -> ask(fn _ -> raise "no" end) end},
      {"a host function that needs a context and has none", :host_function,
       "the host function extism:host/user::f failed; its last argument, the context, is nil: no context: … was given to the call, or to Vitrine.new/2 for what runs while the plugin is made",
       fn -> ask(fn _, context -> context.user end) end},
      {"a host function that returns a number", :host_function,
       "the host function extism:host/user::f failed", fn -> ask(fn _ -> 42 end) end},
      {"a host function that returns a map", :host_function,
       "the host function extism:host/user::f failed", fn -> ask(fn _ -> %{} end) end},
      {"a host function that returns another type", :host_function,
       "the host function extism:host/user::f failed",
       fn -> ask(typed.(:binary, {:ok, "text"})) end},
      {"a host function whose result has no form in JSON", :host_function,
       "the host function extism:host/user::f failed", fn -> ask(typed.(:json, self())) end},
      {"a host function that gives an error", :guest_error, "no more cheese",
       fn ->
         call(
           ~S|(import "extism:host/user" "f" (func $f (param i64) (result i64)))
           (func (export "run") (result i32) (drop (call $f (call $input))) (i32.const 1))|,
           "",
           host_functions: %{"f" => fn _ -> {:error, "no more cheese"} end}
         )
       end},
      {"a host function that gives an error without a text", :guest_error,
       "the host function \"f\" failed",
       fn ->
         call(
           ~S|(import "extism:host/user" "f" (func $f (param i64) (result i64)))
           (func (export "run") (result i32) (drop (call $f (call $input))) (i32.const 1))|,
           "",
           host_functions: %{"f" => fn _ -> {:error, ""} end}
         )
       end},
      {"a number where a host function takes bytes", :trap,
       "invalid handle offset for parameter 1 of the host function extism:host/user::f: 42; bytes are passed by handles, and a number is declared as one by Vitrine.HostFunction.new/5",
       fn ->
         call(
           ~S|(import "extism:host/user" "f" (func $f (param i64) (result i64)))
           (func (export "run") (drop (call $f (i64.const 42))))|,
           "",
           host_functions: %{"f" => & &1}
         )
       end},
      {"arguments of a host function that are too long", :trap,
       "the arguments of the host function extism:host/user::f have 6 bytes together; the limit is that of outputs, 5 bytes (limits: [output_bytes: 5])",
       fn -> ask(& &1, "123456", limits: [output_bytes: 5]) end},
      {"an argument of a host function that is not JSON", :codec,
       "parameter 1 of the host function \"f\" cannot be decoded as :json: EOF while parsing an object at line 1 column 1",
       fn -> ask([HostFunction.new("f", [:json], :binary, fn _ -> "" end)], "{") end}
    ]
  end

  defp codecs do
    encode = &Codec.encode/2
    decode = &Codec.decode/2

    [
      {"an input that has no form in JSON", :codec,
       "the input cannot be encoded as :json: .a is #PID<…>, which has no form in it",
       fn -> Vitrine.call(Vitrine.new!("(module)"), "run", %{a: self()}, as: :json) end},
      {"an input with bytes in JSON", :codec,
       "the term cannot be encoded as :json: [0] is not UTF-8: <<255>>",
       fn -> encode.(:json, [<<255>>]) end},
      {"an input with bytes in MessagePack", :codec,
       "the term cannot be encoded as :msgpack: [0] is not UTF-8: <<255>>; bytes are encoded as Vitrine.Codec.MessagePack.Bin",
       fn -> encode.(:msgpack, [<<255>>]) end},
      {"an input with a struct", :codec,
       "the term cannot be encoded as :json: .uri is a struct, which must be made a map first: %URI{}",
       fn -> encode.(:json, %{uri: %URI{}}) end},
      {"an input that is nested too deep", :codec,
       "the term cannot be encoded as :json: [0][0][0][0][0][0][0][0][0][0][0][0]... is nested too deep",
       fn -> encode.(:json, Enum.reduce(1..2_000, nil, fn _, inner -> [inner] end)) end},
      {"an output that is not JSON", :codec,
       "the bytes cannot be decoded as :json: expected value at line 1 column 7",
       fn -> decode.(:json, "{\"a\": }") end},
      {"an output that is too long for its codec", :codec,
       "the bytes cannot be decoded as :json: it has 15 bytes; the limit is 10 bytes (max_bytes: 10)",
       fn -> decode.({:json, max_bytes: 10}, ~s("a longer text")) end},
      {"an output that is not MessagePack", :codec,
       "the bytes cannot be decoded as :msgpack: the byte 0xC1, which begins no value, at byte 1",
       fn -> decode.(:msgpack, <<0xC1>>) end},
      {"an output of MessagePack that ends early", :codec,
       "the bytes cannot be decoded as :msgpack: unexpected end at byte 2",
       fn -> decode.(:msgpack, <<0x92, 1>>) end},
      {"an output of MessagePack with more behind it", :codec,
       "the bytes cannot be decoded as :msgpack: there are bytes behind the value, at byte 1",
       fn -> decode.(:msgpack, <<1, 2>>) end},
      {"an output that is not UTF-8", :codec,
       "the bytes cannot be decoded as :string: it is not UTF-8 at byte 2",
       fn -> decode.(:string, <<"ab", 255>>) end},
      {"an output that is not base64", :codec,
       "the bytes cannot be decoded as :base64: expected the letters A-Z, a-z, 0-9, + and /, padded with =",
       fn -> decode.(:base64, "a b") end},
      {"an output of another size than a number", :codec,
       "the bytes cannot be decoded as :i32: expected 4 bytes, got 2",
       fn -> decode.(:i32, <<1, 2>>) end},
      {"an output where none is expected", :codec,
       "the bytes cannot be decoded as :empty: expected no bytes, got 4",
       fn -> decode.(:empty, "text") end},
      {"an input that is not a number", :codec,
       "the term cannot be encoded as :u32: expected an integer from 0, of 32 bits, got: -1",
       fn -> encode.(:u32, -1) end},
      {"an input that is not bytes", :codec,
       "the term cannot be encoded as :raw: expected a binary or iodata, got: :atom",
       fn -> encode.(:raw, :atom) end},
      {"an input that is not a text", :codec,
       "the term cannot be encoded as :string: it is not UTF-8 at byte 0",
       fn -> encode.(:string, <<255>>) end},
      {"an input where none is expected", :codec,
       "the term cannot be encoded as :empty: expected nil, got: \"text\"",
       fn -> encode.(:empty, "text") end},
      {"an input that is not iodata", :codec,
       "the term cannot be encoded as :raw: the list is not iodata",
       fn -> encode.(:raw, [:atom]) end}
    ]
  end

  # Requests that a plugin makes.
  defp requests do
    [
      {"a request where no host is allowed", :http,
       "HTTP request to https://example.com/ is not allowed: no host is allowed (allowed_hosts: [])",
       fn -> get("https://example.com/") end},
      {"a request to a host that is not allowed", :http,
       "HTTP request to https://example.com/ is not allowed: its host is not one of allowed_hosts: \"*.example.org\", \"[::1]\"",
       fn -> get("https://example.com/", allowed_hosts: ["*.example.org", "[::1]"]) end},
      {"a request where there is no client", :http,
       "HTTP request to https://example.com/ is not allowed: HTTP is not enabled (http: false)",
       fn -> get("https://example.com/", allowed_hosts: ["*"], http: false) end},
      {"a request to a private address", :http,
       "HTTP request to http://10.0.0.5/ is not allowed: 10.0.0.5 is a private address; allowed_hosts: [\"10.0.0.5\"] would allow it",
       fn -> get("http://10.0.0.5/", allowed_hosts: ["*"]) end},
      {"a request to the metadata of a cloud", :http,
       "HTTP request to http://169.254.169.254/latest is not allowed: 169.254.169.254 is a link-local address; allowed_hosts: [\"169.254.169.254\"] would allow it",
       fn -> get("http://169.254.169.254/latest", allowed_hosts: ["*"]) end},
      {"a request to localhost", :http,
       "HTTP request to http://localhost/ is not allowed: localhost has the address 127.0.0.1, a loopback one; allowed_hosts: [{:private, \"localhost\"}] would allow it",
       fn -> get("http://localhost/", allowed_hosts: ["*"]) end},
      {"a request to something that is not a URL", :http,
       "HTTP request to \"example.com\" is not allowed: it is not a URL such as https://example.com/path",
       fn -> get("example.com", allowed_hosts: ["*"]) end},
      {"a request of another scheme", :http,
       "HTTP request to \"ftp://example.com/\" is not allowed: only http and https can be requested, not ftp",
       fn -> get("ftp://example.com/", allowed_hosts: ["*"]) end},
      {"a request to a URL that is too long", :http,
       "HTTP request to \"https://example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… (19520 bytes more)\" is not allowed: the URL has 20020 bytes; the limit is 16384 bytes",
       fn ->
         get("https://example.com/" <> String.duplicate("a", 20_000), allowed_hosts: ["*"])
       end},
      {"a request to a URL with a line feed", :http,
       "HTTP request to \"https://example.com/\\n\" is not allowed: the URL has control characters",
       fn -> get("https://example.com/\\n", allowed_hosts: ["*"]) end},
      {"a request to a port that is not one", :http,
       "HTTP request to \"https://example.com:99999/\" is not allowed: 99999 is not a port; ports are 1 to 65535",
       fn -> get("https://example.com:99999/", allowed_hosts: ["*"]) end},
      {"a request with an unknown method", :http,
       "HTTP request to https://example.com/ is not possible: the method \"FETCH\" is not one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE",
       fn ->
         request(~S({"url": "https://example.com/", "method": "FETCH"}), allowed_hosts: ["*"])
       end},
      {"a request with a header that is not one", :http,
       "HTTP request to https://example.com/ is not possible: the header \"a b\" has a name that cannot be sent; names have letters and digits of ASCII and !#$%&'*+.^_`|~-",
       fn ->
         request(~S({"url": "https://example.com/", "headers": {"a b": "c"}}),
           allowed_hosts: ["*"]
         )
       end},
      {"a request with a line feed in a header", :http,
       "HTTP request to https://example.com/ is not possible: the header \"a\" has a value that cannot be sent; values have no control characters",
       fn ->
         request(~S({"url": "https://example.com/", "headers": {"a": "b\nc: d"}}),
           allowed_hosts: ["*"]
         )
       end},
      {"a request with too many headers", :http,
       "HTTP request to https://example.com/ is not possible: the headers have 88893 bytes; the limit is 65536 bytes",
       fn ->
         headers = Enum.map_join(1..9_000, ",", &~s("h#{&1}":"v"))

         request(~s({"url": "https://example.com/", "headers": {#{headers}}}),
           allowed_hosts: ["*"]
         )
       end},
      {"a request whose description is too long", :http,
       "the HTTP request without its body has 2000031 bytes; the limit is 1048576 bytes",
       fn ->
         get("https://example.com/" <> String.duplicate("a", 2_000_000), allowed_hosts: ["*"])
       end}
    ]
  end

  # Answers of servers and clients.
  defp answers do
    answered = fn answer, options ->
      get(
        "https://example.com/",
        [allowed_hosts: ["*"], http: {Client, answer: answer}] ++ options
      )
    end

    alert = fn name, text -> {:tls_alert, {name, to_charlist(text)}} end

    [
      {"a server that refuses connections", :http,
       "HTTP request to https://example.com/ failed: connection refused",
       fn -> answered.(:econnrefused, []) end},
      {"a server that is not found", :http,
       "HTTP request to https://example.com/ failed: non-existing domain",
       fn -> answered.(:nxdomain, []) end},
      {"a server that closes the connection", :http,
       "HTTP request to https://example.com/ failed: the server closed the connection",
       fn -> answered.(:closed, []) end},
      {"a server that is too slow for the client", :http,
       "HTTP request to https://example.com/ failed: it took too long",
       fn -> answered.(:timeout, []) end},
      {"a certificate of another host", :http,
       "HTTP request to https://example.com/ failed: TLS: the server's certificate is for another host's name",
       fn ->
         text =
           "TLS client: In state wait_cert_cr at ssl_handshake.erl:2177 generated CLIENT ALERT: Fatal - Handshake Failure\n {bad_cert,hostname_check_failed}"

         answered.(alert.(:handshake_failure, text), [])
       end},
      {"a certificate that is signed by itself", :http,
       "HTTP request to https://example.com/ failed: TLS: the server's certificate is signed by itself and not by an authority; the certificates of other authorities are given by ssl: [cacertfile: path]",
       fn -> answered.(alert.(:bad_certificate, "... {bad_cert,selfsigned_peer}"), []) end},
      {"a certificate that has expired", :http,
       "HTTP request to https://example.com/ failed: TLS: the server's certificate has expired, or is not valid yet",
       fn -> answered.(alert.(:certificate_expired, "... {bad_cert,cert_expired}"), []) end},
      {"a certificate of an unknown authority", :http,
       "HTTP request to https://example.com/ failed: TLS: the server's certificate is signed by an authority that is not trusted here; the certificates of other authorities are given by ssl: [cacertfile: path]",
       fn -> answered.(alert.(:unknown_ca, "... Unknown CA"), []) end},
      {"a server that does not speak TLS", :http,
       "HTTP request to https://example.com/ failed: TLS: the server does not speak TLS on this port; it may speak HTTP without it",
       fn ->
         text =
           "TLS client: In state hello generated CLIENT ALERT: Fatal - Unexpected Message\n {unsupported_record_type,72}"

         answered.(alert.(:unexpected_message, text), [])
       end},
      {"another failure of TLS", :http,
       "HTTP request to https://example.com/ failed: TLS: internal error",
       fn -> answered.(alert.(:internal_error, "TLS client: something"), []) end},
      {"a response that is too large", :http,
       "HTTP response exceeds the configured maximum number of bytes: 10 (memory: %{max_http_response_bytes: 10})",
       fn ->
         answered.({200, [], "more than ten bytes"}, memory: [max_http_response_bytes: 10])
       end},
      {"a server that redirects without an end", :http,
       "HTTP request to https://example.com/ failed: there are more than 10 redirects",
       fn -> answered.({302, [{"location", "https://example.com/"}], ""}, []) end},
      {"a redirect to a private address", :http,
       "HTTP request to https://10.0.0.5/, to which https://example.com/ redirects, is not allowed: 10.0.0.5 is a private address; allowed_hosts: [\"10.0.0.5\"] would allow it",
       fn -> answered.({302, [{"location", "https://10.0.0.5/"}], ""}, []) end},
      {"a redirect to a host that is not allowed", :http,
       "HTTP request to https://evil.example/, to which https://example.com/ redirects, is not allowed: its host is not one of allowed_hosts: \"example.com\"",
       fn ->
         answered.({302, [{"location", "https://evil.example/"}], ""},
           allowed_hosts: ["example.com"]
         )
       end},
      {"a client that finds a private address", :http,
       "HTTP request to https://example.com/ is not allowed: example.com has the address 10.0.0.5, a private one; allowed_hosts: [{:private, \"example.com\"}] would allow it",
       fn ->
         answered.({:not_allowed, "example.com has the address 10.0.0.5, a private one"}, [])
       end},
      {"a client that raises", :http,
       "HTTP request to https://example.com/ failed: the client Vitrine.ErrorTable.Client failed",
       fn -> answered.(fn -> raise "no" end, []) end},
      {"a client that answers something else", :http,
       "HTTP request to https://example.com/ failed: the client Vitrine.ErrorTable.Client must answer {:ok, %Vitrine.HTTP.Response{}} or {:error, reason}, answered: :what",
       fn -> answered.({:answer, :what}, []) end}
    ]
  end

  defp get(url, options \\ []), do: request(~s({"url": "#{url}"}), options)

  defp request(json, options) do
    allowed = Keyword.get_values(options, :allowed_hosts)
    options = Keyword.delete(options, :allowed_hosts)
    options = if allowed == [], do: options, else: [allowed_hosts: List.last(allowed)] ++ options
    Vitrine.call(new!(wat("http"), options), "get", json)
  end
end
