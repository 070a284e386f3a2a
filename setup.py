"""What pyproject.toml cannot say: the recipes in configs/ travel inside the wheel, as scene_lightning/configs."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["scene_lightning", "scene_lightning.*"]), "scene_lightning.configs"],
    package_dir={"scene_lightning.configs": "configs"},
    package_data={"scene_lightning": ["py.typed"], "scene_lightning.configs": ["*.yaml"]},
)
