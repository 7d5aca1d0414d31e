-- ARGV: lease in ms and "token|0|worker" of each claim. Returns the jobs, one for each as far as there are, and how many malformed
-- entries were buried. As if each claim had come alone, but what is common to them is read and written once.
-- What a claim is written to is read before anything changes, so a foreign type stops it in time.
redis.call('HLEN', HELD)
local last, awake = last_turn(), redis.call('LLEN', WAKE) > 0
local wanted, claimed, buried = #ARGV / 2, {}, 0
-- However much there is of what cannot be claimed, one call is short; the next goes on.
local looks = wanted + 200

local function unreadable(id)
  local _, newer = read_job(id)
  if newer then
    redis.call('ZADD', DELAYED, now + LEFT_TO_NEWER, id)
  else
    bury(id, 'malformed entry in the queue')
    buried = buried + 1
  end
end

-- Each entry becomes due once, so this costs O(log n) a claim over time.
local due = redis.call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, 32)
if due[1] then look_at_all() end
for _, id in ipairs(due) do
  local job = read_job(id)
  if job and is_id(id) then
    redis.call('ZREM', DELAYED, id)
    make_ready(id, job)
  else
    unreadable(id)
  end
end

local function priority_of(text)
  local priority = tonumber(string.match(text or '', '^(%d+)|%d+|'))
  return priority and priority <= 100 and priority
end

local spoilt = {}
local function take(id, readable, leased)
  if not readable or not is_id(id) then
    spoilt[#spoilt + 1] = id
  elseif not leased then
    claimed[#claimed + 1] = id
    last = last + 1
  end
end

-- The next entries of an organisation's line, and one more: the priority of the one that follows says when its turn comes again.
local function read_on(org, count)
  org.at, org.ids = 1, redis.call('ZRANGE', line(org.name), org.gone, org.gone + count)
  if not org.ids[1] then return end
  org.texts = redis.call('HMGET', JOBS, unpack(org.ids))
  org.leased = redis.call('ZMSCORE', LEASES, unpack(org.ids))
  org.priority = priority_of(org.texts[1])
end

-- Before the first whose turn comes later; equals go by their names, as in ORGS.
local function line_up(turns, org)
  local at = 1
  while turns[at] and (turns[at].turn < org.turn or (turns[at].turn == org.turn and turns[at].name < org.name)) do at = at + 1 end
  table.insert(turns, at, org)
end

-- One turn: of the first organisation what has waited for longest. Then it lines up again, unless that was all.
local function take_a_turn(turns, count)
  local org = table.remove(turns, 1)
  if not org.ids or org.at >= #org.ids then read_on(org, count) end
  local at = org.at
  local id = org.ids[at]
  org.turn = nil
  if not id then return end
  org.at, org.gone = at + 1, org.gone + 1
  -- What the version before has taken is in the line only.
  if redis.call('ZREM', READY, id) == 1 then take(id, org.priority, org.leased[at]) end
  if org.ids[at + 1] then
    org.priority = priority_of(org.texts[at + 1])
    org.turn = last + (100 - (org.priority or 100)) * TURNS_AHEAD
    line_up(turns, org)
  end
end

-- As many turns as there are claims left: so only as many organisations, the first, can have one.
local function round(want)
  local found, all, turns = redis.call('ZRANGE', ORGS, 0, want - 1, 'WITHSCORES'), {}, {}
  for i = 1, #found, 2 do
    local org = { name = found[i], turn = tonumber(found[i + 1]), gone = 0 }
    all[#all + 1], turns[#turns + 1] = org, org
  end
  local count = math.ceil(want / math.max(1, #all))
  for _ = 1, want do
    if turns[1] then take_a_turn(turns, count) end
  end
  local again, done = {}, {}
  for _, org in ipairs(all) do
    if org.gone > 0 then redis.call('ZREMRANGEBYRANK', line(org.name), 0, org.gone - 1) end
    if org.ids and org.turn then
      again[#again + 1], again[#again + 2] = org.turn, org.name
    elseif org.ids then
      done[#done + 1] = org.name
    end
  end
  if again[1] then redis.call('ZADD', ORGS, unpack(again)) end
  if done[1] then redis.call('ZREM', ORGS, unpack(done)) end
  return all[1]
end

while #claimed < wanted and looks > 0 do
  looks = looks - (wanted - #claimed)
  if not round(wanted - #claimed) then break end
end
-- What is in no line.
while #claimed < wanted and looks > 0 do
  local id = redis.call('ZRANGE', READY, 0, 0)[1]
  if not id then break end
  local leased = redis.call('ZSCORE', LEASES, id)
  redis.call('ZREM', READY, id)
  looks = looks - 1
  take(id, read_job(id), leased)
end

if #claimed > 0 then
  local held, leases, ends = {}, {}, {}
  for i, id in ipairs(claimed) do
    local lease = ARGV[2 * i - 1]
    ends[lease] = ends[lease] or whole(now + tonumber(lease))
    held[2 * i - 1], held[2 * i] = id, ARGV[2 * i]
    leases[2 * i - 1], leases[2 * i] = ends[lease], id
  end
  redis.call('HSET', HELD, unpack(held))
  redis.call('ZADD', LEASES, unpack(leases))
  redis.call('HINCRBY', TURNS, 'last', #claimed)
  -- Passed on: however many there are, each claim wakes one more waiter.
  if not awake then wake(math.min(#claimed, redis.call('ZCARD', READY))) end
end
for _, id in ipairs(spoilt) do unreadable(id) end
return { claimed, buried }
