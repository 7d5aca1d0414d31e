-- ARGV: job, token. Returns 0 lost, 1 done.
if not held_by(ARGV[1], ARGV[2]) then return 0 end
forget_leased(ARGV[1])
return 1
