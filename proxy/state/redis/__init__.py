"""The store in Redis or Valkey: for any number of replicas."""

from proxy.state.redis.store import RedisOptions, RedisState, open_redis

__all__ = ["RedisOptions", "RedisState", "open_redis"]
