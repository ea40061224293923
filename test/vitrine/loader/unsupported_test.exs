defmodule Vitrine.Loader.UnsupportedTest do
  # Modules that need what Vitrine does not support are told how to be built without.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  for {what, text, flag} <- [
        {"threads", "(memory 1 1 shared)", "without -pthread"},
        {"legacy exceptions", "(tag) (func try catch_all end)", "-sWASM_LEGACY_EXCEPTIONS=0"},
        {"custom page sizes", "(memory 1 (pagesize 1))", "without --page-size"},
        {"wide arithmetic", "(func (drop (i64.mul_wide_s (i64.const 0) (i64.const 0))) drop)",
         "without -mwide-arithmetic"},
        {"stack switching", "(type $f (func)) (type (cont $f))", "build it without"}
      ] do
    test "#{what} is refused by new/2 and inspect_plugin/2 with the same message" do
      text = "(module #{unquote(text)})"
      error = error!(Vitrine.new(text))
      assert error.reason == :compile

      assert String.starts_with?(
               error.message,
               "the module cannot be compiled: it uses #{unquote(what)}"
             )

      assert error.message =~ "which Vitrine does not support"
      assert error.message =~ unquote(flag)
      assert error!(Vitrine.inspect_plugin(text)).message == error.message
    end
  end

  for {what, memory, flag} <- [
        {"threads", "(memory 1 1 shared)", "without -pthread"},
        {"custom page sizes", "(memory 1 (pagesize 1))", "without --page-size"}
      ] do
    test "a memory of #{what} that is imported is told so, and not to be the plugin's own" do
      error = error!(Vitrine.new(~s|(module (import "env" "memory" #{unquote(memory)}))|))
      assert error.message =~ "it uses #{unquote(what)}"
      assert error.message =~ unquote(flag)
      refute error.message =~ "of its own"
    end
  end
end
