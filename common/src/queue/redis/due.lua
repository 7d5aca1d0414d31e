-- Returns 0 if something is ready in any of these lanes, else the milliseconds until something is due, else -1.
local soonest = -1
in_each_lane(function()
  look_at_all()
  local first = redis.call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
  local due = first and math.max(0, tonumber(first) - now)
  if redis.call('ZCARD', READY) > 0 then due = 0 end
  if due and (soonest < 0 or due < soonest) then soonest = due end
end)
return soonest
