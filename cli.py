from scene_lightning.cli import main

main()
