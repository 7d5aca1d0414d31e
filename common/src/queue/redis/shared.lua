-- What all transitions share; put in front of each of them. The server's clock is the only one.
-- jobs:   id -> "priority|run_at|org"   what waits or is leased
-- held:   id -> "token|cancelled|worker" what is leased
-- ready:  id by (100 - priority) * 2^42 + run_at    delayed: id by run_at    leases: id by end
-- dead:   id by time of burial, reasons: id -> why  wake: one element per waiter to wake
local READY, DELAYED, LEASES, JOBS, HELD, DEAD, REASONS, WAKE =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local MAX_DEAD, MAX_WAKE = 10000, 128

-- A foreign type under one of the keys must stop a transition here, before it has changed anything: there is no undo.
for _, zset in ipairs({ READY, DELAYED, LEASES, DEAD }) do redis.call('ZCARD', zset) end
for _, hash in ipairs({ JOBS, HELD, REASONS }) do redis.call('HLEN', hash) end
redis.call('LLEN', WAKE)

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Plain tostring would print 13 digits and more as 1.8e+12.
local function whole(number)
  return string.format('%.0f', number)
end

-- Somebody may be idle: an element stays until a waiter takes it, so none is missed between looking and waiting.
local function wake(count)
  local room = MAX_WAKE - redis.call('LLEN', WAKE)
  for _ = 1, math.min(count, room) do
    redis.call('RPUSH', WAKE, '1')
  end
end

local function read_job(id)
  local text = redis.call('HGET', JOBS, id)
  if not text then return nil end
  local priority, run_at, org = string.match(text, '^(%d+)|(%d+)|(.*)$')
  priority, run_at = tonumber(priority), tonumber(run_at)
  if not priority or priority > 100 or not run_at then return nil end
  return { priority = priority, run_at = run_at, org = org }
end

local function rank(job)
  return whole((100 - job.priority) * 4398046511104 + job.run_at)
end

-- Into the set where it belongs; true if a waiter should know.
local function place(id, job)
  redis.call('HSET', JOBS, id, job.priority .. '|' .. whole(job.run_at) .. '|' .. job.org)
  if job.run_at <= now then
    redis.call('ZREM', DELAYED, id)
    redis.call('ZADD', READY, rank(job), id)
    return true
  end
  redis.call('ZREM', READY, id)
  redis.call('ZADD', DELAYED, whole(job.run_at), id)
  return redis.call('ZRANGE', DELAYED, 0, 0)[1] == id
end

local function forget(id)
  redis.call('ZREM', READY, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('ZREM', LEASES, id)
  redis.call('HDEL', JOBS, id)
  redis.call('HDEL', HELD, id)
end

local function bury(id, reason)
  forget(id)
  local name = string.sub(id, 1, 64)
  redis.call('ZADD', DEAD, whole(now), name)
  redis.call('HSET', REASONS, name, reason)
  if redis.call('ZCARD', DEAD) > MAX_DEAD then
    redis.call('HDEL', REASONS, redis.call('ZPOPMIN', DEAD)[1])
  end
end

local function is_id(id)
  return #id == 36 and string.match(id, '^%x+%-%x+%-%x+%-%x+%-%x+$') ~= nil
end

-- Whether it is held by this token, and whether somebody wants it to stop.
local function held_by(id, token)
  local text = redis.call('HGET', HELD, id)
  if not text then return false, false end
  local holder, cancelled = string.match(text, '^([^|]*)|([01])|')
  return holder == token, cancelled == '1'
end

local function lease(id, token, worker, millis)
  redis.call('HSET', HELD, id, token .. '|0|' .. worker)
  redis.call('ZADD', LEASES, whole(now + millis), id)
end
