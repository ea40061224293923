defmodule Vitrine.Docs.SecurityModelTest do
  @moduledoc "Tests what guides/production/security-model.md says of defaults, and of what is refused without a grant."
  use ExUnit.Case, async: true

  import Vitrine.Guests

  @guide File.read!(Path.expand("../../guides/production/security-model.md", __DIR__))

  test "a plugin without options has the limits that the guide names as defaults" do
    settings = Vitrine.compile!("(module)").settings

    for {limit, default, shown} <- [
          {":timeout", settings.timeout, {5_000, "5 000 ms"}},
          {":fuel", settings.fuel, {nil, "not counted"}},
          {"memory: [max_pages: …]", settings.memory.max_pages, {8_192, "8 192 pages (512 MiB)"}},
          {"memory: [max_var_bytes: …]", settings.memory.max_var_bytes, {1_048_576, "1 MiB"}},
          {"memory: [max_http_response_bytes: …]", settings.http.max_response_bytes,
           {52_428_800, "50 MiB"}},
          {"limits: [table_elements: …]", settings.limits.table_elements,
           {1_000_000, "1 000 000"}},
          {"limits: [output_bytes: …]", settings.limits.output_bytes, {134_217_728, "128 MiB"}},
          {":allowed_hosts", settings.http.hosts, {[], "none"}},
          {":log_level", settings.log_level, {:trace, "all of them"}},
          {":ceiling", settings.ceiling, {nil, "no ceiling"}}
        ] do
      {value, text} = shown
      assert {limit, default} == {limit, value}
      assert @guide =~ ~r/^\| `#{Regex.escape(limit)}` \| .* \| #{Regex.escape(text)} \| /m
    end

    assert settings.http.max_redirects == 10
  end

  test "WASI cannot be linked without a grant" do
    {:error, error} = Vitrine.new({:module, File.read!(wasm("c_wasi"))})
    assert error.reason == :link
    assert error.message =~ "give wasi: true"
  end

  test "with WASI alone there are no arguments, no environment, no input and no files" do
    plugin = new!(wasm("c_wasi"), wasi: true)

    for function <- ~w(arguments environment read_stdin) do
      assert {function, Vitrine.call(plugin, function)} == {function, {:ok, ""}}
    end

    for path <- ["/etc/passwd", "../../etc/passwd", "."] do
      assert {:error, %{reason: :guest_error}} = Vitrine.call(plugin, "read_file", path)
    end
  end

  test "HTTP is refused without a grant" do
    {:error, error} = Vitrine.call(new!(wat("http")), "get", ~s({"url": "https://example.com/"}))
    assert error.reason == :http
    assert error.message =~ "allowed_hosts"
  end
end
