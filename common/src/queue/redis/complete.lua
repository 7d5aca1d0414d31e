-- ARGV: job and token of each that has ended. Returns for each 0 lost, 1 done. Each job goes through it, so it stands alone: what the
-- others share takes longer to set up than this to run. Stopped half-way by a foreign type it can be run again: what says who holds
-- the jobs goes last.
local LEASES, JOBS, HELD = KEYS[3], KEYS[4], KEYS[5]
local jobs, answers, mine = {}, {}, {}
for i = 1, #ARGV, 2 do jobs[#jobs + 1] = ARGV[i] end
local held = redis.call('HMGET', HELD, unpack(jobs))
for i, id in ipairs(jobs) do
  local done = held[i] and not mine[id] and string.match(held[i], '^([^|]*)|[01]|') == ARGV[2 * i]
  answers[i] = done and 1 or 0
  if done then
    mine[#mine + 1] = id
    mine[id] = true
  end
end
if #mine > 0 then
  redis.call('ZREM', LEASES, unpack(mine))
  redis.call('HDEL', JOBS, unpack(mine))
  redis.call('HDEL', HELD, unpack(mine))
end
return answers
