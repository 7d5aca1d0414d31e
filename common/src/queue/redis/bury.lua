-- ARGV: job, token, reason. Returns 0 lost, 1 done.
look_at_all()
if not held_by(ARGV[1], ARGV[2]) then return 0 end
bury(ARGV[1], ARGV[3])
return 1
