defmodule Vitrine.DownloadCacheTest do
  # Not async: the application's environment is everybody's.
  use ExUnit.Case, async: false

  alias Vitrine.Loader.Download.Cache

  setup do
    on_exit(fn -> Application.delete_env(:vitrine, :cache_dir) end)
  end

  test "the directory is the option's, the environment's, or the user's" do
    assert Cache.directory(nil) == :filename.basedir(:user_cache, "vitrine")
    Application.put_env(:vitrine, :cache_dir, "/somewhere")
    assert Cache.directory(nil) == "/somewhere"
    assert Cache.directory("/elsewhere") == "/elsewhere"
    assert Cache.directory(false) == nil
    # As in other paths, and for native code below it.
    Application.put_env(:vitrine, :cache_dir, "~/somewhere")
    assert Cache.directory(nil) == Path.join(System.user_home!(), "somewhere")

    Application.put_env(:vitrine, :cache_dir, false)
    assert Cache.directory(nil) == nil
  end

  test "a user without a home has none" do
    code = "IO.inspect(Vitrine.Loader.Download.Cache.directory(nil))"
    homeless = [env: [{"HOME", nil}, {"XDG_CACHE_HOME", nil}], stderr_to_stdout: true]
    paths = ["-pa", Mix.Project.compile_path()]
    assert {"nil\n", 0} = System.cmd("elixir", paths ++ ["-e", code], homeless)
  end
end
