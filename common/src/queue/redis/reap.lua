-- ARGV: limit, the longest lease in ms. Returns the jobs whose lease has run out, which are forgotten here, and how many malformed ones
-- were buried.
local limit, longest = tonumber(ARGV[1]), now + tonumber(ARGV[2])
local reaped, buried = {}, 0

local function reap(count)
  -- What ends later than any lease could was leased before the clock was set back. Its worker may be dead: one lease more is enough for
  -- whoever lives to be heard.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '(' .. whole(longest), '+inf', 'LIMIT', 0, limit)) do
    redis.call('ZADD', LEASES, longest, id)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, count)) do
    if is_id(id) then
      forget_leased(id)
      reaped[#reaped + 1] = id
    else
      bury(id, 'malformed lease in the queue')
      buried = buried + 1
    end
  end
end

in_each_lane(look_at_all)
in_each_lane(function() reap(limit - #reaped) end)
return { reaped, buried }
