"""The models' weights: which there are, where they lie, and how they are fetched (`daemon.models.pull`)."""

from daemon.models.catalog import CATALOG, Asset, find_asset
from daemon.models.installed import digest, model_path

__all__ = ["CATALOG", "Asset", "digest", "find_asset", "model_path"]
