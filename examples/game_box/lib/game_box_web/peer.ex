defmodule GameBoxWeb.Peer do
  @moduledoc """
  The address of a page's browser.

  With `config :game_box, :behind_proxy`, the address of the connection is the proxy's own, and the browser's address
  is in `x-forwarded-for`. It is the last address there; those before it may be invented.
  """

  import Phoenix.LiveView, only: [get_connect_info: 2]

  @doc "Returns the address for a socket that is mounted, or `nil` if it is not known."
  @spec address(Phoenix.LiveView.Socket.t()) :: :inet.ip_address() | nil
  def address(socket) do
    if Application.get_env(:game_box, :behind_proxy, false),
      do: socket |> get_connect_info(:x_headers) |> forwarded(),
      else: with(%{address: address} <- get_connect_info(socket, :peer_data), do: address)
  end

  @doc """
  Returns the address that the proxy passes on.

      iex> GameBoxWeb.Peer.forwarded([{"x-forwarded-for", "10.0.0.1, 192.0.2.7"}])
      {192, 0, 2, 7}
      iex> GameBoxWeb.Peer.forwarded([])
      nil
  """
  @spec forwarded([{String.t(), String.t()}] | nil) :: :inet.ip_address() | nil
  def forwarded(headers) do
    with [_ | _] = values <- for({"x-forwarded-for", value} <- headers || [], do: value),
         last = values |> List.last() |> String.split(",") |> List.last() |> String.trim(),
         {:ok, address} <- :inet.parse_address(String.to_charlist(last)) do
      address
    else
      _ -> nil
    end
  end
end
