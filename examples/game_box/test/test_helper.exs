ExUnit.start()
data_dir = Application.fetch_env!(:game_box, :data_dir)

ExUnit.after_suite(fn _ ->
  Application.stop(:game_box)
  File.rm_rf!(data_dir)
end)
