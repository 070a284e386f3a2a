from scene_lightning.cli import main

if __name__ == "__main__":  # worker processes of `tune --jobs` import this file
    main()
