"""What pyproject.toml cannot say: recipes and search spaces travel in the wheel, as scene_lightning/configs."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["scene_lightning", "scene_lightning.*"]), "scene_lightning.configs"],
    package_dir={"scene_lightning.configs": "configs"},
    package_data={
        "scene_lightning": ["py.typed", "weights/*.safetensors", "weights/*.md"],
        "scene_lightning.dataset_check": ["*.html"],
        "scene_lightning.pages": ["*.css", "*.html"],
        "scene_lightning.serving": ["*.html"],
        "scene_lightning.run_report": ["*.html", "*.css", "*.js"],
        "scene_lightning.configs": ["*.yaml", "spaces/*.yaml"],
    },
)
