-- Returns 0 if something is ready, else the milliseconds until something is due, else -1.
look_at_all()
if redis.call('ZCARD', READY) > 0 then return 0 end
local first = redis.call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
if not first then return -1 end
return math.max(0, tonumber(first) - now)
