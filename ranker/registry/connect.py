"""The registry of a deployment, from its settings."""

from redis import Redis
from redis.cluster import RedisCluster

from feature_store.clock import Clock
from feature_store.settings import Settings
from ranker.registry.aliases import RedisAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.records import MlflowRecords, NoRecords
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData


def open_registry(settings: Settings, clock: Clock, *, recorded: bool = False) -> ModelRegistry:
    """Versions under ``settings.model_repository``, aliases in ``settings.redis_url``.

    ``recorded``: whether MLflow is told of versions and aliases, for processes that make or move them.
    Nothing connects before the first alias is asked for; a Redis Cluster must be reachable.
    """
    timeout_s = settings.redis_timeout_ms / 1000
    client = RedisCluster if settings.redis_cluster else Redis
    redis = client.from_url(
        settings.redis_url.get_secret_value(), socket_timeout=timeout_s, socket_connect_timeout=timeout_s
    )
    records = MlflowRecords(settings.mlflow) if recorded else NoRecords()
    return ModelRegistry(ModelFolders(settings.model_repository), RedisAliases(redis), clock, records)


def open_training_data(settings: Settings) -> TrainingData:
    """Beside the versions."""
    return TrainingData(settings.home / "training-data")
