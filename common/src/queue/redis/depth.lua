-- Returns ready, delayed, leased, dead; what is due counts as ready, promoted or not.
look_at_all()
local due = redis.call('ZCOUNT', DELAYED, '-inf', now)
return {
  redis.call('ZCARD', READY) + due, redis.call('ZCARD', DELAYED) - due, redis.call('ZCARD', LEASES), redis.call('ZCARD', DEAD)
}
