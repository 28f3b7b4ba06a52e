"""The models' weights: the catalog, the models folder, and fetching (`daemon.models.pull`)."""

from daemon.models.catalog import CATALOG, Asset, find_asset
from daemon.models.installed import model_path, weights_of

__all__ = ["CATALOG", "Asset", "find_asset", "model_path", "weights_of"]
