from scene_lightning.cli.main import main

if __name__ == "__main__":  # worker processes of `tune --jobs` import this file
    main()
