"""The models' weights: the catalog, the models folder, and fetching (`daemon.models.pull`)."""

from daemon.models.catalog import CATALOG, Asset, find_asset
from daemon.models.installed import digest, model_path

__all__ = ["CATALOG", "Asset", "digest", "find_asset", "model_path"]
