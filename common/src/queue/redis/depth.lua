-- Returns ready, delayed, leased, dead; what is due counts as ready, promoted or not.
local due = redis.call('ZCOUNT', DELAYED, '-inf', whole(now))
local ready = due
for _, org in ipairs(redis.call('ZRANGE', READY, 0, -1)) do ready = ready + redis.call('ZCARD', line(org)) end
return { ready, redis.call('ZCARD', DELAYED) - due, redis.call('ZCARD', LEASES), redis.call('ZCARD', DEAD) }
