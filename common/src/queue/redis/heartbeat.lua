-- ARGV: job, token, lease in ms of each. Returns for each 0 lost, 1 held, 2 cancelled.
look_at_all()
local jobs, answers, ends = {}, {}, {}
for i = 1, #ARGV, 3 do jobs[#jobs + 1] = ARGV[i] end
local held = redis.call('HMGET', HELD, unpack(jobs))
for i, id in ipairs(jobs) do
  local holder, cancelled = holder_of(held[i])
  answers[i] = 0
  if holder == ARGV[3 * i - 1] then
    answers[i] = cancelled and 2 or 1
    ends[#ends + 1] = now + tonumber(ARGV[3 * i])
    ends[#ends + 1] = id
  end
end
if #ends > 0 then redis.call('ZADD', LEASES, unpack(ends)) end
return answers
