-- ARGV: job. Returns 1 if it was known.
look_at_all()
local id = ARGV[1]
local text = redis.call('HGET', HELD, id)
if text then
  redis.call('HSET', HELD, id, (string.gsub(text, '^([^|]*)|0|', '%1|1|')))
  return 1
end
local known = redis.call('HEXISTS', JOBS, id)
forget(id)
return known
