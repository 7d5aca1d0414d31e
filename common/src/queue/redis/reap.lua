-- ARGV: limit. Returns the jobs whose lease has run out, which are forgotten here, and how many malformed ones were buried.
look_at_all()
local reaped, buried = {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, tonumber(ARGV[1]))) do
  if is_id(id) then
    forget_leased(id)
    reaped[#reaped + 1] = id
  else
    bury(id, 'malformed lease in the queue')
    buried = buried + 1
  end
end
return { reaped, buried }
