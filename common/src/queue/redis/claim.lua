-- ARGV: token, worker, lease in ms. Returns the job or false, and how many malformed entries were buried.
-- What a claim is written to must be what it should; the rest is read before anything changes.
for _, zset in ipairs({ LEASES, READY, ORGS }) do redis.call('ZCARD', zset) end
for _, hash in ipairs({ HELD, JOBS }) do redis.call('HLEN', hash) end
local last, awake = last_turn(), redis.call('LLEN', WAKE) > 0
local buried = 0
local function unreadable(id, newer)
  if newer then
    redis.call('ZADD', DELAYED, whole(now + LEFT_TO_NEWER), id)
  else
    bury(id, 'malformed entry in the queue')
    buried = buried + 1
  end
end

-- Each entry becomes due once, so this costs O(log n) a claim over time; the bound keeps one call short.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', whole(now), 'LIMIT', 0, 500)) do
  local job, newer = read_job(id)
  if job and is_id(id) then
    redis.call('ZREM', DELAYED, id)
    make_ready(id, job)
  else
    unreadable(id, newer)
  end
end

local claimed = false
local function take(id)
  local job, newer = read_job(id)
  if not job or not is_id(id) then
    unreadable(id, newer)
  elseif not redis.call('ZSCORE', LEASES, id) then
    lease(id, ARGV[1], ARGV[2], tonumber(ARGV[3]))
    claimed = id
  end
end

-- The organisation whose turn it is, and of it what has waited for longest.
for _ = 1, 1000 do
  local org = redis.call('ZPOPMIN', ORGS)[1]
  if not org then break end
  local id = redis.call('ZPOPMIN', line(org))[1]
  if id and redis.call('ZREM', READY, id) == 1 then take(id) end
  if claimed then last = redis.call('HINCRBY', TURNS, 'last', 1) end
  local next_id = redis.call('ZRANGE', line(org), 0, 0)[1]
  if next_id then
    local following = read_job(next_id)
    take_turn(org, following and following.priority or 100, last)
  end
  if claimed then break end
end
-- What is in no line.
for _ = 1, 1000 do
  local id = not claimed and redis.call('ZPOPMIN', READY)[1]
  if not id then break end
  take(id)
end
-- Passed on: however many there are, each claim wakes one more waiter.
if claimed and not awake and redis.call('ZCARD', READY) > 0 then wake(1) end
return { claimed, buried }
