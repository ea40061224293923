defmodule Vitrine.Server.WatchTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Loader.Source
  alias Vitrine.Server

  @moduletag :capture_log
  @moduletag :tmp_dir

  setup do
    :ok = :logger.add_handler(__MODULE__, __MODULE__, %{config: self()})
    on_exit(fn -> :logger.remove_handler(__MODULE__) end)
  end

  defp version(number),
    do: ~s|(module (func (export "version") (result i32) (i32.const #{number})))|

  defp version!(server), do: error!(Vitrine.call(server, "version")).code

  defp watched!(source), do: start_supervised!({Server, source: source, watch: 10})

  test "a plugin is upgraded when its file changes", %{tmp_dir: dir} do
    path = Path.join(dir, "plugin.wat")
    File.write!(path, version(1))

    server = watched!(path)
    assert version!(server) == 1
    File.write!(path, version(22))
    assert_receive {:logged, :info, "plugin \"plugin\" was reloaded" <> _}
    assert version!(server) == 22
  end

  test "a version that cannot be loaded leaves the old one running", %{tmp_dir: dir} do
    path = Path.join(dir, "plugin.wat")
    File.write!(path, version(1))
    server = watched!(path)

    for damage <- [&File.write!(&1, "(module (func broken))"), &File.rm!/1] do
      damage.(path)
      assert_receive {:logged, :error, "plugin \"plugin\" has changed and could not" <> _}
      assert version!(server) == 1
    end

    File.write!(path, version(333))
    eventually(fn -> version!(server) == 333 end)
  end

  def log(%{level: level, msg: {:string, text}}, %{config: test}),
    do: send(test, {:logged, level, IO.iodata_to_binary(text)})

  def log(_event, _config), do: :ok

  test "the modules of a manifest are watched, too", %{tmp_dir: dir} do
    path = Path.join(dir, "plugin.wat")
    manifest = Path.join(dir, "plugin.toml")
    File.write!(path, version(1))
    File.write!(manifest, ~s([[wasm]]\npath = "#{path}"\n))
    server = watched!(manifest)
    File.write!(path, version(22))
    eventually(fn -> version!(server) == 22 end)
  end

  test "watching ends with the server", %{tmp_dir: dir} do
    path = Path.join(dir, "plugin.wat")
    File.write!(path, version(1))
    server = watched!(path)
    {:links, links} = Process.info(server, :links)
    [watcher] = for pid when is_pid(pid) <- links, pid not in ancestors(server), do: pid
    assert Vitrine.close(server) == :ok
    eventually(fn -> not Process.alive?(watcher) end)
  end

  defp ancestors(server) do
    {:dictionary, dictionary} = Process.info(server, :dictionary)
    dictionary[:"$ancestors"]
  end

  describe "Source.files/1" do
    test "has the files that are known", %{tmp_dir: dir} do
      assert Source.files("(module)") == []
      assert Source.files("some/plugin.wasm") == ["some/plugin.wasm"]
      assert Source.files(%{wasm: [%{path: "a"}, %{data: "(module)", name: "b"}]}) == ["a"]
      assert Source.files(%{wasm: 1}) == []
      assert Source.files(~s(wasm = [{path = "a"}])) == ["a"]
      manifest = Path.join(dir, "m.json")
      File.write!(manifest, ~s({"wasm": [{"path": "a"}]}))
      assert Source.files(manifest) == [manifest, "a"]
    end
  end
end
