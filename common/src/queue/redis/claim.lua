-- ARGV: lease in ms and "token|0|worker" of each claim; KEYS of one lane or of several. Returns the jobs, one for each as far as there
-- are, in which of the lanes each was, and how many malformed entries were buried. As if each claim had come alone, but what is common
-- to them is read and written once.
local last, wanted, claimed, origin, buried = last_turn(), #ARGV / 2, {}, {}, 0
-- However much there is of what cannot be claimed, one call is short; the next goes on.
local looks = wanted + 200

-- Those in which anything waits; the others are neither read nor written. Mostly that is the first alone, so it is not asked about, and
-- the others with one command.
lanes = { 1 }
local others = {}
-- Their READY and DELAYED.
for at = 11, #KEYS, 10 do others[#others + 1], others[#others + 2] = KEYS[at], KEYS[at + 1] end
if others[1] and redis.call('EXISTS', unpack(others)) > 0 then
  for lane = 2, #KEYS / 10 do
    if redis.call('EXISTS', KEYS[10 * lane - 9], KEYS[10 * lane - 8]) > 0 then lanes[#lanes + 1] = lane end
  end
end

-- What a claim is written to is read before anything changes, so a foreign type stops it in time. Of one lane alone what is not read
-- here is read before anything is taken from it.
local awake = {}
in_each_lane(function(lane)
  redis.call('HLEN', HELD)
  if lanes[2] then
    for _, zset in ipairs({ READY, LEASES, ORGS }) do redis.call('ZCARD', zset) end
    redis.call('HLEN', JOBS)
  end
  awake[lane] = redis.call('LLEN', WAKE) > 0
end)

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
in_each_lane(function()
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
end)

local function priority_of(text)
  local priority = tonumber(string.match(text or '', '^(%d+)|%d+|'))
  return priority and priority <= 100 and priority
end

local spoilt = {}
local function take(id, readable, leased, lane)
  if not readable or not is_id(id) then
    spoilt[#spoilt + 1] = { id = id, lane = lane }
  elseif not leased then
    claimed[#claimed + 1], origin[#origin + 1] = id, lane
    last = last + 1
  end
end

-- The next entries of one of an organisation's lines, and one more: the priority of the one that follows says when its turn comes again.
local function read_on(org, own, count)
  enter(own.lane)
  local found = redis.call('ZRANGE', line(org.name), own.gone, own.gone + count, 'WITHSCORES')
  own.at, own.ids, own.scores, own.full = 1, {}, {}, #found == 2 * (count + 1)
  for i = 1, #found, 2 do
    own.ids[#own.ids + 1], own.scores[#own.scores + 1] = found[i], tonumber(found[i + 1])
  end
  if not own.ids[1] then return end
  own.texts = redis.call('HMGET', JOBS, unpack(own.ids))
  own.leased = redis.call('ZMSCORE', LEASES, unpack(own.ids))
end

-- The line with what has waited for longest of all that the organisation has in these lanes; equals go by their names.
local function first_line(org, count)
  local first
  for _, own in ipairs(org.lines) do
    if not own.ids or (own.full and own.at > #own.ids) then read_on(org, own, count) end
    local id, score = own.ids[own.at], own.scores[own.at]
    local before = first and first.scores[first.at]
    if id and (not first or score < before or (score == before and id < first.ids[first.at])) then first = own end
  end
  return first
end

local function sooner(one, other)
  return one.turn < other.turn or (one.turn == other.turn and one.name < other.name)
end

-- Before the first whose turn comes later; equals go by their names, as in ORGS.
local function line_up(turns, org)
  local at = 1
  while turns[at] and sooner(turns[at], org) do at = at + 1 end
  table.insert(turns, at, org)
end

-- One turn: of the first organisation what has waited for longest. Then it lines up again, unless that was all.
local function take_a_turn(turns, count)
  local org = table.remove(turns, 1)
  local own = org.next or first_line(org, count)
  org.turn, org.next = nil, nil
  if not own then return end
  local at = own.at
  local id = own.ids[at]
  own.at, own.gone = at + 1, own.gone + 1
  enter(own.lane)
  -- What the version before has taken is in the line only.
  if redis.call('ZREM', READY, id) == 1 then take(id, priority_of(own.texts[at]), own.leased[at], own.lane) end
  org.next = first_line(org, count)
  if org.next then
    local priority = priority_of(org.next.texts[org.next.at])
    org.turn = last + (100 - (priority or 100)) * TURNS_AHEAD
    line_up(turns, org)
  end
end

-- The organisations that can have a turn, each with its lines in these lanes: of each lane as many as there are claims left, the first.
-- Its turn is the soonest that it has in any.
local function who_waits(want)
  local all, known, more = {}, {}, {}
  in_each_lane(function(lane)
    local found = redis.call('ZRANGE', ORGS, 0, want - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      local org = known[found[i]]
      if not org then
        org = { name = found[i], turn = tonumber(found[i + 1]), lines = {}, here = {} }
        all[#all + 1], known[org.name] = org, org
      end
      org.turn = math.min(org.turn, tonumber(found[i + 1]))
      org.lines[#org.lines + 1], org.here[lane] = { lane = lane, gone = 0 }, true
    end
    more[lane] = #found == 2 * want
  end)
  for _, org in ipairs(all) do
    for _, lane in ipairs(lanes) do
      -- It may wait there, further behind.
      if more[lane] and not org.here[lane] then org.lines[#org.lines + 1] = { lane = lane, gone = 0 } end
    end
  end
  if #lanes > 1 then table.sort(all, sooner) end
  return all
end

-- As many turns as there are claims left: so only as many organisations, the first, can have one.
local function round(want)
  local all, turns = who_waits(want), {}
  for i, org in ipairs(all) do turns[i] = org end
  local count = math.ceil(want / math.max(1, #all))
  for _ = 1, want do
    if turns[1] then take_a_turn(turns, count) end
  end
  local again, done = {}, {}
  for _, lane in ipairs(lanes) do again[lane], done[lane] = {}, {} end
  for _, org in ipairs(all) do
    for _, own in ipairs(org.lines) do
      if own.gone > 0 then
        enter(own.lane)
        redis.call('ZREMRANGEBYRANK', line(org.name), 0, own.gone - 1)
      end
      if own.ids and own.ids[own.at] then
        local places = again[own.lane]
        places[#places + 1], places[#places + 2] = org.turn, org.name
      elseif own.ids then
        done[own.lane][#done[own.lane] + 1] = org.name
      end
    end
  end
  in_each_lane(function(lane)
    if again[lane][1] then redis.call('ZADD', ORGS, unpack(again[lane])) end
    if done[lane][1] then redis.call('ZREM', ORGS, unpack(done[lane])) end
  end)
  return all[1]
end

while #claimed < wanted and looks > 0 do
  looks = looks - (wanted - #claimed)
  if not round(wanted - #claimed) then break end
end
-- What is in no line.
in_each_lane(function(lane)
  while #claimed < wanted and looks > 0 do
    local id = redis.call('ZRANGE', READY, 0, 0)[1]
    if not id then break end
    local leased = redis.call('ZSCORE', LEASES, id)
    redis.call('ZREM', READY, id)
    looks = looks - 1
    take(id, read_job(id), leased, lane)
  end
end)

if #claimed > 0 then
  local held, leases, ends = {}, {}, {}
  for _, lane in ipairs(lanes) do held[lane], leases[lane] = {}, {} end
  for i, id in ipairs(claimed) do
    local lease = ARGV[2 * i - 1]
    ends[lease] = ends[lease] or whole(now + tonumber(lease))
    local holders, until_when = held[origin[i]], leases[origin[i]]
    holders[#holders + 1], holders[#holders + 2] = id, ARGV[2 * i]
    until_when[#until_when + 1], until_when[#until_when + 2] = ends[lease], id
  end
  redis.call('HINCRBY', TURNS, 'last', #claimed)
  in_each_lane(function(lane)
    if held[lane][1] then
      redis.call('HSET', HELD, unpack(held[lane]))
      redis.call('ZADD', LEASES, unpack(leases[lane]))
    end
    -- Passed on: however many there are, each claim wakes one more waiter.
    if not awake[lane] then wake(math.min(#claimed, redis.call('ZCARD', READY))) end
  end)
end
for _, entry in ipairs(spoilt) do
  enter(entry.lane)
  unreadable(entry.id)
end
return { claimed, origin, buried }
