defmodule GameBoxWeb.ErrorHTML do
  @moduledoc "The page for a status, such as 404."

  def render(template, _assigns), do: Phoenix.Controller.status_message_from_template(template)
end
