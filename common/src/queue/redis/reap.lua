-- ARGV: limit. Returns the jobs whose lease has run out; they are forgotten here.
local reaped = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, tonumber(ARGV[1]))) do
  if is_id(id) then
    forget(id)
    reaped[#reaped + 1] = id
  else
    bury(id, 'malformed lease in the queue')
  end
end
return reaped
