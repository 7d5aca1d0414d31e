-- ARGV: job. Returns 1 if it was known in any of these lanes.
local id, known = ARGV[1], 0
in_each_lane(look_at_all)
in_each_lane(function()
  local text = redis.call('HGET', HELD, id)
  if text then
    redis.call('HSET', HELD, id, (string.gsub(text, '^([^|]*)|0|', '%1|1|')))
    known = 1
  else
    known = math.max(known, redis.call('HEXISTS', JOBS, id))
    forget(id)
  end
end)
return known
