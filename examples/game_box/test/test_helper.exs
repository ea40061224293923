ExUnit.start()
ExUnit.after_suite(fn _ -> File.rm_rf!(Application.fetch_env!(:game_box, :data_dir)) end)
