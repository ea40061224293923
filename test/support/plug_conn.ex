# A stand-in for what Vitrine.Plug uses of Plug, of the same names and meaning, where Plug itself is not.

unless Code.ensure_loaded?(Plug.Conn) do
  defmodule Plug.Conn.Unfetched do
    @moduledoc false
    defstruct [:aspect]
  end

  defmodule Plug.Conn.AlreadySentError do
    @moduledoc false
    defexception message: "the response was already sent"
  end

  defmodule Plug.Conn do
    @moduledoc false

    alias Plug.Conn.{AlreadySentError, Unfetched}

    @unsent [:unset, :set, :set_chunked, :set_file]

    defstruct adapter: nil,
              assigns: %{},
              body_params: %Unfetched{aspect: :body_params},
              halted: false,
              host: "www.example.com",
              method: "GET",
              path_info: [],
              port: 0,
              private: %{},
              query_params: %Unfetched{aspect: :query_params},
              query_string: "",
              remote_ip: nil,
              req_cookies: %Unfetched{aspect: :cookies},
              req_headers: [],
              request_path: "",
              resp_body: nil,
              resp_cookies: %{},
              resp_headers: [{"cache-control", "max-age=0, private, must-revalidate"}],
              scheme: :http,
              script_name: [],
              state: :unset,
              status: nil

    def read_body(%{adapter: {adapter, state}} = conn, options \\ []) do
      with {result, data, state} <- adapter.read_req_body(state, options),
           do: {result, data, %{conn | adapter: {adapter, state}}}
    end

    def halt(conn), do: %{conn | halted: true}

    def register_before_send(%{state: state}, _callback) when state not in @unsent,
      do: raise(AlreadySentError)

    def register_before_send(conn, callback),
      do: update_in(conn.private[:before_send], &[callback | &1 || []])

    def resp(%{state: state}, _status, _body) when state not in @unsent,
      do: raise(AlreadySentError)

    def resp(conn, status, body), do: %{conn | status: status, resp_body: body, state: :set}

    def send_resp(conn, status, body) do
      %{adapter: {adapter, state}} = conn = conn |> resp(status, body) |> before_send(:set)

      {:ok, body, state} =
        adapter.send_resp(state, conn.status, conn.resp_headers, conn.resp_body)

      %{conn | adapter: {adapter, state}, resp_body: body, state: :sent}
    end

    def send_chunked(conn, status) do
      %{adapter: {adapter, state}} =
        conn = before_send(%{conn | status: status, resp_body: nil}, :set_chunked)

      {:ok, body, state} = adapter.send_chunked(state, conn.status, conn.resp_headers)
      %{conn | adapter: {adapter, state}, resp_body: body, state: :chunked}
    end

    defp before_send(conn, state) do
      callbacks = conn.private[:before_send] || []
      conn = Enum.reduce(callbacks, %{conn | state: state}, & &1.(&2))

      cookies =
        for {name, %{value: value}} <- conn.resp_cookies, do: {"set-cookie", "#{name}=#{value}"}

      %{conn | resp_headers: cookies ++ conn.resp_headers}
    end
  end
end
