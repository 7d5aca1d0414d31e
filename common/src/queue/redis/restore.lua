-- ARGV: job, token, worker, lease in ms, priority, run_at, org. Returns 0 lost, 1 done.
look_at_all()
local id, token = ARGV[1], ARGV[2]
local mine = held_by(id, token)
if mine then
  redis.call('ZADD', LEASES, now + tonumber(ARGV[4]), id)
  return 1
end
if redis.call('HEXISTS', HELD, id) == 1 then return 0 end
forget(id)
write_job(id, { priority = tonumber(ARGV[5]), run_at = tonumber(ARGV[6]), org = ARGV[7] })
lease(id, token, ARGV[3], tonumber(ARGV[4]))
return 1
