-- Returns ready, delayed, leased, dead of all these lanes together; what is due counts as ready, promoted or not.
local all = { 0, 0, 0, 0 }
in_each_lane(function()
  look_at_all()
  local due = redis.call('ZCOUNT', DELAYED, '-inf', now)
  all[1] = all[1] + redis.call('ZCARD', READY) + due
  all[2] = all[2] + redis.call('ZCARD', DELAYED) - due
  all[3] = all[3] + redis.call('ZCARD', LEASES)
  all[4] = all[4] + redis.call('ZCARD', DEAD)
end)
return all
