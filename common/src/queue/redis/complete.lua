-- ARGV: job, token. Returns 0 lost, 1 done. Each job goes through it, so it stands alone: what the others share takes longer to set up
-- than this to run. Stopped half-way by a foreign type it can be run again: what says who holds the job goes last.
local LEASES, JOBS, HELD = KEYS[3], KEYS[4], KEYS[5]
local held = redis.call('HGET', HELD, ARGV[1])
if not held or string.match(held, '^([^|]*)|[01]|') ~= ARGV[2] then return 0 end
redis.call('ZREM', LEASES, ARGV[1])
redis.call('HDEL', JOBS, ARGV[1])
redis.call('HDEL', HELD, ARGV[1])
return 1
