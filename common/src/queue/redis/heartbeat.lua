-- ARGV: job, token, lease in ms. Returns 0 lost, 1 held, 2 cancelled.
look_at_all()
local mine, cancelled = held_by(ARGV[1], ARGV[2])
if not mine then return 0 end
redis.call('ZADD', LEASES, whole(now + tonumber(ARGV[3])), ARGV[1])
return cancelled and 2 or 1
