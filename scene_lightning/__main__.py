"""`python -m scene_lightning …`: the same command line as `scene-lightning …`."""

from scene_lightning.cli import main

if __name__ == "__main__":
    main()
