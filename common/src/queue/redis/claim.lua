-- ARGV: token, worker, lease in ms. Returns the job or false.
-- Each entry becomes due once, so this costs O(log n) a claim over time; the bound keeps one call short.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', whole(now), 'LIMIT', 0, 500)) do
  local job = read_job(id)
  if job and is_id(id) then
    redis.call('ZREM', DELAYED, id)
    redis.call('ZADD', READY, rank(job), id)
  else
    bury(id, 'malformed entry in the queue')
  end
end
local claimed = false
for _ = 1, 1000 do
  local id = redis.call('ZPOPMIN', READY)[1]
  if not id then break end
  if not is_id(id) or not read_job(id) then
    bury(id, 'malformed entry in the queue')
  elseif not redis.call('ZSCORE', LEASES, id) then
    lease(id, ARGV[1], ARGV[2], tonumber(ARGV[3]))
    claimed = id
    break
  end
end
-- Passed on: however many there are, each claim wakes one more waiter.
if claimed and redis.call('ZCARD', READY) > 0 and redis.call('LLEN', WAKE) == 0 then wake(1) end
return claimed
