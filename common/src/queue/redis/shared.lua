-- What all transitions share; put in front of each of them. The server's clock is the only one.
-- jobs:   id -> "priority|run_at|org"   what waits or is leased; what begins with "v" and a number is of a newer format
-- held:   id -> "token|cancelled|worker" what is leased
-- ready:  id by priority and run_at; all that may be claimed
-- orgs:   org by its turn; what is ready of each lies in "ready:org" as well, id by run_at, aged by its priority
-- delayed: id by run_at            leases: id by end
-- dead:   id by time of burial, reasons: id -> why  wake: one element per waiter to wake
-- turns:  "last" -> how many claims there were
-- The version before knows no organisations: what it has taken is still in a line and no longer in ready, and is passed over;
-- what it has brought is in ready and in no line, and comes when no organisation has a turn.
-- Each lane has all of these for itself, but "turns", which they share; who claims in several gives the keys of one after those of the
-- other, and what follows works on the lane that was entered last. The version before knows one lane, which is the first one here.
local READY, DELAYED, LEASES, JOBS, HELD, DEAD, REASONS, WAKE, TURNS, ORGS
local entered
local function enter(lane)
  if lane == entered then return end
  entered = lane
  READY, DELAYED, LEASES, JOBS, HELD, DEAD, REASONS, WAKE, TURNS, ORGS = unpack(KEYS, 10 * lane - 9, 10 * lane)
end
enter(1)

-- Those that are worked in: all whose keys were given.
local lanes = {}
for lane = 1, #KEYS / 10 do lanes[lane] = lane end

local function in_each_lane(work)
  for _, lane in ipairs(lanes) do
    enter(lane)
    work(lane)
  end
end

local MAX_DEAD, MAX_WAKE = 10000, 128
-- As in the queue of one process (`fair.rs`): what a point of priority is worth in milliseconds of waiting among the jobs of
-- one organisation, and in turns among organisations.
local AGING_MS, TURNS_AHEAD = 60000, 10
-- Entries of a newer format are left to a newer build: looked at again after this.
local LEFT_TO_NEWER = 5000

-- A foreign type under one of the keys must stop a transition before it has changed anything: there is no undo. Those that each
-- job goes through say how they see to it by themselves, for this costs as much as they do.
local function look_at_all()
  for _, zset in ipairs({ READY, DELAYED, LEASES, DEAD, ORGS }) do redis.call('ZCARD', zset) end
  for _, hash in ipairs({ JOBS, HELD, REASONS, TURNS }) do redis.call('HLEN', hash) end
  redis.call('LLEN', WAKE)
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Plain tostring would print 13 digits and more as 1.8e+12. What goes to a command as a number keeps all its digits.
local function whole(number)
  return string.format('%.0f', number)
end

-- Somebody may be idle: an element stays until a waiter takes it, so none is missed between looking and waiting.
local function wake(count)
  local elements = {}
  for i = 1, math.min(count, MAX_WAKE - redis.call('LLEN', WAKE)) do elements[i] = '1' end
  if #elements > 0 then redis.call('RPUSH', WAKE, unpack(elements)) end
end

-- The job that a text says, or nothing and whether a newer build has written it.
local function job_of(text)
  if not text then return nil, false end
  local priority, run_at, org = string.match(text, '^(%d+)|(%d+)|(.*)$')
  priority, run_at = tonumber(priority), tonumber(run_at)
  if not priority or priority > 100 or not run_at then return nil, string.find(text, '^v%d+|') ~= nil end
  return { priority = priority, run_at = run_at, org = org }, false
end

local function read_job(id)
  return job_of(redis.call('HGET', JOBS, id))
end

local function text_of(job)
  return job.priority .. '|' .. whole(job.run_at) .. '|' .. job.org
end

local function write_job(id, job)
  redis.call('HSET', JOBS, id, text_of(job))
end

-- What is ready of one organisation. Its name shares the hash tag, so it lies beside the others in a cluster, too.
local function line(org)
  return READY .. ':' .. org
end

local function last_turn()
  return tonumber(redis.call('HGET', TURNS, 'last')) or 0
end

-- An organisation's turn comes after those that have waited for longer; a higher priority brings it forward, never back.
local function take_turn(org, priority, last)
  redis.call('ZADD', ORGS, 'LT', last + (100 - priority) * TURNS_AHEAD, org)
end

-- Its place in READY, and in the line of its organisation.
local function places(job)
  local behind = 100 - job.priority
  return behind * 4398046511104 + job.run_at, job.run_at + behind * AGING_MS
end

local function make_ready(id, job)
  local among_all, in_line = places(job)
  redis.call('ZADD', READY, among_all, id)
  redis.call('ZADD', line(job.org), in_line, id)
  take_turn(job.org, job.priority, last_turn())
end

local function unready(id, org)
  redis.call('ZREM', READY, id)
  if redis.call('ZREM', line(org), id) == 1 and redis.call('EXISTS', line(org)) == 0 then
    redis.call('ZREM', ORGS, org)
  end
end

-- Whether it may be claimed, and has its place in the order.
local function is_ready(id, org)
  return redis.call('ZSCORE', READY, id) and redis.call('ZSCORE', line(org), id) and redis.call('ZSCORE', ORGS, org)
end

-- Into the set where it belongs; true if a waiter should know.
local function place(id, job)
  write_job(id, job)
  if job.run_at <= now then
    redis.call('ZREM', DELAYED, id)
    make_ready(id, job)
    return true
  end
  unready(id, job.org)
  redis.call('ZADD', DELAYED, job.run_at, id)
  return redis.call('ZRANGE', DELAYED, 0, 0)[1] == id
end

local function forget_leased(id)
  redis.call('ZREM', LEASES, id)
  redis.call('HDEL', JOBS, id)
  redis.call('HDEL', HELD, id)
end

local function forget(id)
  local job = read_job(id)
  if job then unready(id, job.org) end
  redis.call('ZREM', READY, id)
  redis.call('ZREM', DELAYED, id)
  forget_leased(id)
end

local function bury(id, reason)
  forget(id)
  local name = string.sub(id, 1, 64)
  redis.call('ZADD', DEAD, now, name)
  redis.call('HSET', REASONS, name, reason)
  if redis.call('ZCARD', DEAD) > MAX_DEAD then
    redis.call('HDEL', REASONS, redis.call('ZPOPMIN', DEAD)[1])
  end
end

local function is_id(id)
  return #id == 36 and string.match(id, '^%x+%-%x+%-%x+%-%x+%-%x+$') ~= nil
end

-- The token that holds it, and whether somebody wants it to stop.
local function holder_of(text)
  if not text then return nil, false end
  local holder, cancelled = string.match(text, '^([^|]*)|([01])|')
  return holder, cancelled == '1'
end

local function held_by(id, token)
  local holder, cancelled = holder_of(redis.call('HGET', HELD, id))
  return holder == token, cancelled
end

local function lease(id, token, worker, millis)
  redis.call('HSET', HELD, id, token .. '|0|' .. worker)
  redis.call('ZADD', LEASES, now + millis, id)
end
