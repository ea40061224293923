defmodule Vitrine.DownloadCacheTest do
  # Not async: the application's environment is everybody's.
  use ExUnit.Case, async: false

  alias Vitrine.Download.Cache

  setup do
    on_exit(fn -> Application.delete_env(:vitrine, :cache_dir) end)
  end

  test "the directory is the option's, the environment's, or the user's" do
    assert Cache.directory(nil) == :filename.basedir(:user_cache, "vitrine")
    Application.put_env(:vitrine, :cache_dir, "/somewhere")
    assert Cache.directory(nil) == "/somewhere"
    assert Cache.directory("/elsewhere") == "/elsewhere"
    assert Cache.directory(false) == nil
    Application.put_env(:vitrine, :cache_dir, false)
    assert Cache.directory(nil) == nil
  end

  test "a user without a home has none" do
    saved = for name <- ~w(HOME XDG_CACHE_HOME), do: {name, System.get_env(name)}
    on_exit(fn -> for {name, value} <- saved, value != nil, do: System.put_env(name, value) end)
    for {name, _} <- saved, do: System.delete_env(name)
    assert Cache.directory(nil) == nil or is_binary(Cache.directory(nil))
  end
end
