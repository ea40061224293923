defmodule GameBoxWeb.Peer do
  @moduledoc """
  The address that a page's browser is at.

  Behind a proxy that is the proxy's own, and what the proxy says is in `x-forwarded-for`: its last
  address, as those before it may be anybody's invention. `config :game_box, :behind_proxy` says so.
  """

  import Phoenix.LiveView, only: [get_connect_info: 2]

  @doc "Of a socket that is mounted; `nil` if it is not known."
  @spec address(Phoenix.LiveView.Socket.t()) :: :inet.ip_address() | nil
  def address(socket) do
    if Application.get_env(:game_box, :behind_proxy, false),
      do: socket |> get_connect_info(:x_headers) |> forwarded(),
      else: with(%{address: address} <- get_connect_info(socket, :peer_data), do: address)
  end

  @doc """
  What the proxy says.

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
