defmodule Vitrine.Loader.Download.CacheTest do
  # Not async: the application's environment is everybody's.
  use ExUnit.Case, async: false

  alias Vitrine.Loader.CacheDirectory

  setup do
    on_exit(fn -> Application.delete_env(:vitrine, :cache_dir) end)
  end

  test "the directory is the option's, the environment's, or the user's" do
    assert CacheDirectory.find!(nil) == :filename.basedir(:user_cache, "vitrine")
    Application.put_env(:vitrine, :cache_dir, "/somewhere")
    assert CacheDirectory.find!(nil) == "/somewhere"
    assert CacheDirectory.find!("/elsewhere") == "/elsewhere"
    assert CacheDirectory.find!(false) == nil
    # As in other paths, and for native code below it.
    Application.put_env(:vitrine, :cache_dir, "~/somewhere")
    assert CacheDirectory.find!(nil) == Path.join(System.user_home!(), "somewhere")

    Application.put_env(:vitrine, :cache_dir, false)
    assert CacheDirectory.find!(nil) == nil
  end

  test "a user without a home directory has no cache" do
    code = "IO.inspect(Vitrine.Loader.CacheDirectory.find!(nil))"
    homeless = [env: [{"HOME", nil}, {"XDG_CACHE_HOME", nil}], stderr_to_stdout: true]
    paths = ["-pa", Mix.Project.compile_path()]
    assert {"nil\n", 0} = System.cmd("elixir", paths ++ ["-e", code], homeless)
  end
end
