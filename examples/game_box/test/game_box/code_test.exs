defmodule GameBox.Arena.CodeTest do
  use ExUnit.Case, async: true

  doctest GameBox.Arena.Code
end
