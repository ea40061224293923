defmodule Vitrine.SlowStore do
  @moduledoc "Keeps a server's variables in a file, which takes a while."
  @behaviour Vitrine.Server.Store

  @impl true
  def load(_path), do: nil

  @impl true
  def save(path, vars) do
    Process.sleep(300)
    File.write!(path, :erlang.term_to_binary(vars))
  end
end
