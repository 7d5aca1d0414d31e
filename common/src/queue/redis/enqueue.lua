-- ARGV: how many may be ready of one organisation, then job, priority, run_at, org, whether it is due (0, 1), again and
-- again. Returns how many were new; what there is no room for stays in the database.
look_at_all()
local added, waiters, room = 0, 0, tonumber(ARGV[1])

-- What the version before has taken out of a line takes no room in it; looked at once a call.
local full = {}
local function has_room(org)
  if full[org] or redis.call('ZCARD', line(org)) < room then return not full[org] end
  for _, id in ipairs(redis.call('ZRANGE', line(org), 0, -1)) do
    if not redis.call('ZSCORE', READY, id) then redis.call('ZREM', line(org), id) end
  end
  full[org] = redis.call('ZCARD', line(org)) >= room
  return not full[org]
end

for i = 2, #ARGV, 5 do
  local id = ARGV[i]
  local job = { priority = tonumber(ARGV[i + 1]), run_at = tonumber(ARGV[i + 2]), org = ARGV[i + 3] }
  -- The sender's clock may be ahead of this one.
  if ARGV[i + 4] == '1' then job.run_at = math.min(job.run_at, now) end
  if not redis.call('ZSCORE', LEASES, id) then
    local known, newer = read_job(id)
    if known then
      local better = job.priority > known.priority or job.run_at < known.run_at
      job.priority = math.max(job.priority, known.priority)
      job.run_at = math.min(job.run_at, known.run_at)
      -- In no set, if somebody has tampered: then it is placed again. So is what the version before has brought.
      local waits = is_ready(id, known.org) or redis.call('ZSCORE', DELAYED, id)
      if (better or not waits) and place(id, job) then waiters = waiters + 1 end
    elseif not newer and has_room(job.org) then
      added = added + 1
      redis.call('ZREM', DEAD, id)
      redis.call('HDEL', REASONS, id)
      if place(id, job) then waiters = waiters + 1 end
    end
  end
end
wake(waiters)
return added
