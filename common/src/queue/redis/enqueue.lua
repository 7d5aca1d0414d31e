-- ARGV: how many may be ready of one organisation, then job, priority, run_at, org, again and again. Returns how many were
-- new; what there is no room for stays in the database.
local added, waiters, room = 0, 0, tonumber(ARGV[1])
for i = 2, #ARGV, 4 do
  local id = ARGV[i]
  local job = { priority = tonumber(ARGV[i + 1]), run_at = tonumber(ARGV[i + 2]), org = ARGV[i + 3] }
  if not redis.call('ZSCORE', LEASES, id) then
    local known, newer = read_job(id)
    if known then
      local better = job.priority > known.priority or job.run_at < known.run_at
      job.priority = math.max(job.priority, known.priority)
      job.run_at = math.min(job.run_at, known.run_at)
      -- In no set, if somebody has tampered: then it is placed again.
      local waits = redis.call('ZSCORE', line(known.org), id) or redis.call('ZSCORE', DELAYED, id)
      if (better or not waits) and place(id, job) then waiters = waiters + 1 end
    elseif not newer and redis.call('ZCARD', line(job.org)) < room then
      added = added + 1
      redis.call('ZREM', DEAD, id)
      redis.call('HDEL', REASONS, id)
      if place(id, job) then waiters = waiters + 1 end
    end
  end
end
wake(waiters)
return added
