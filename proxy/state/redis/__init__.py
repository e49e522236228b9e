"""The store in Redis or Valkey: for any number of replicas."""

from proxy.state.redis.opening import open_redis
from proxy.state.redis.store import RedisOptions, RedisState

__all__ = ["RedisOptions", "RedisState", "open_redis"]
