defmodule Vitrine.PlugRequests do
  @moduledoc "Requests for the tests of `Vitrine.Plug`, on a server that is a process's mailbox."

  defmodule Adapter do
    @moduledoc "A web server, as a conn sees it: the body comes in chunks, the response goes to the test."

    def read_req_body(%{chunks: []} = state, _options), do: {:ok, "", state}
    def read_req_body(%{chunks: [{:error, reason} | _]}, _options), do: {:error, reason}

    def read_req_body(%{chunks: [chunk | chunks], test: test} = state, options) do
      send(test, {:read, byte_size(chunk)})
      length = Keyword.get(options, :length, 8_000_000)

      case chunk do
        # As servers do it, that cannot put back what came.
        chunk when chunks == [] and byte_size(chunk) <= length ->
          {:ok, chunk, %{state | chunks: []}}

        chunk when byte_size(chunk) > length ->
          rest = binary_part(chunk, length, byte_size(chunk) - length)
          {:more, binary_part(chunk, 0, length), %{state | chunks: [rest | chunks]}}

        chunk ->
          {:more, chunk, %{state | chunks: chunks}}
      end
    end

    def send_resp(%{test: test} = state, status, headers, body) do
      send(test, {:sent, status, headers, IO.iodata_to_binary(body)})
      {:ok, IO.iodata_to_binary(body), state}
    end

    def send_chunked(%{test: test} = state, status, headers) do
      send(test, {:chunked, status, headers})
      {:ok, nil, state}
    end

    def chunk(state, _chunk), do: {:ok, nil, state}
  end

  @doc """
  A request. Its body is a list of chunks, of which one may be `{:error, reason}`; `fields` are those of
  the conn.
  """
  def request(method, path, fields \\ []) do
    {chunks, fields} = Keyword.pop(fields, :body, [])
    adapter = {Adapter, %{test: self(), chunks: List.wrap(chunks)}}

    fields =
      Keyword.merge(
        [
          adapter: adapter,
          method: method,
          request_path: path,
          path_info: for(segment <- String.split(path, "/"), segment != "", do: segment),
          remote_ip: {203, 0, 113, 9},
          owner: self()
        ],
        fields
      )

    struct(Plug.Conn, fields)
  end

  @doc "All values of a header."
  def values(headers, name), do: for({^name, value} <- headers, do: value)

  @doc """
  A plugin, in WebAssembly text, that answers every request and response with what the host function `answer` says
  of what it was told.
  """
  def filter do
    ~S|(module
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/user" "answer" (func $answer (param i64) (result i64)))
      (func $filter (local $text i64)
        (local.set $text (call $answer (call $input)))
        (call $output (local.get $text) (call $length (local.get $text))))
      (export "on_request" (func $filter))
      (export "on_response" (func $filter))
      (func (export "trap") unreachable)
      (func (export "spin") (loop (br 0)))
      (func (export "say_nothing")))|
  end
end
