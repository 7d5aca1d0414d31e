-- ARGV: how many may be ready of one organisation, then job, priority, run_at, org, whether it is due (0, 1), again and
-- again. Returns for each whether it was new (0, 1); what there is no room for stays in the database.
-- Stopped half-way by a foreign type it can be run again: what is known and in no set is placed then.
local room, waiters = tonumber(ARGV[1]), 0
local ids, answers = {}, {}
for i = 2, #ARGV, 5 do ids[#ids + 1] = ARGV[i] end
local texts = redis.call('HMGET', JOBS, unpack(ids))
local leased = redis.call('ZMSCORE', LEASES, unpack(ids))

-- What the version before has taken out of a line takes no room in it; looked at once a call.
local counts, looked_at = {}, {}
local function has_room(org)
  counts[org] = counts[org] or redis.call('ZCARD', line(org))
  if counts[org] < room or looked_at[org] then return counts[org] < room end
  looked_at[org] = true
  for _, id in ipairs(redis.call('ZRANGE', line(org), 0, -1)) do
    if not redis.call('ZSCORE', READY, id) and redis.call('ZREM', line(org), id) == 1 then counts[org] = counts[org] - 1 end
  end
  return counts[org] < room
end

-- New ones are written together at the end.
local new, known = {}, {}
local function add(id, job)
  new[#new + 1], known[id] = id, job
  job.new = true
  if job.run_at <= now then counts[job.org] = counts[job.org] + 1 end
end

-- In no set, if somebody has tampered: then it is placed again. So is what the version before has brought.
local function waits(id, org)
  return is_ready(id, org) or redis.call('ZSCORE', DELAYED, id)
end

-- An earlier time and a higher priority are taken over.
local function improve(id, job, than)
  local better = job.priority > than.priority or job.run_at < than.run_at
  than.priority, than.run_at = math.max(job.priority, than.priority), math.min(job.run_at, than.run_at)
  known[id] = than
  if not than.new and (better or not waits(id, than.org)) and place(id, than) then waiters = waiters + 1 end
end

for n, id in ipairs(ids) do
  local i = 5 * n - 3
  local job = { priority = tonumber(ARGV[i + 1]), run_at = tonumber(ARGV[i + 2]), org = ARGV[i + 3] }
  -- The sender's clock may be ahead of this one.
  if ARGV[i + 4] == '1' then job.run_at = math.min(job.run_at, now) end
  answers[n] = 0
  if not leased[n] then
    local before, newer = known[id], false
    if not before then before, newer = job_of(texts[n]) end
    if before then
      improve(id, job, before)
    elseif not newer and has_room(job.org) then
      add(id, job)
      answers[n] = 1
    end
  end
end

local jobs, ready, delayed, later, lines, highest = {}, {}, {}, {}, {}, {}
for _, id in ipairs(new) do
  local job = known[id]
  jobs[#jobs + 1], jobs[#jobs + 2] = id, text_of(job)
  if job.run_at <= now then
    local among_all, in_line = places(job)
    local org = lines[job.org] or {}
    lines[job.org], highest[job.org] = org, math.max(highest[job.org] or 0, job.priority)
    ready[#ready + 1], ready[#ready + 2] = among_all, id
    org[#org + 1], org[#org + 2] = in_line, id
    waiters = waiters + 1
  else
    delayed[#delayed + 1], delayed[#delayed + 2] = job.run_at, id
    later[#later + 1] = id
  end
end
if #new > 0 then
  redis.call('HSET', JOBS, unpack(jobs))
  if redis.call('ZCARD', DEAD) > 0 then
    redis.call('ZREM', DEAD, unpack(new))
    redis.call('HDEL', REASONS, unpack(new))
  end
end
-- Somebody may have tampered: each is in one set only.
if #ready > 0 then
  redis.call('ZREM', DELAYED, unpack(new))
  redis.call('ZADD', READY, unpack(ready))
  local last = last_turn()
  for org, places_in_line in pairs(lines) do
    redis.call('ZADD', line(org), unpack(places_in_line))
    take_turn(org, highest[org], last)
  end
end
if #later > 0 then
  redis.call('ZREM', READY, unpack(later))
  redis.call('ZADD', DELAYED, unpack(delayed))
  if known[redis.call('ZRANGE', DELAYED, 0, 0)[1]] then waiters = waiters + 1 end
end
wake(waiters)
return answers
