-- Places or renews a fence. ARGV: 7 id, 8 lease in milliseconds, 9 all, and
-- 10 the caches' names, each after a space.
local old = lift(ARGV[7])
if not old or old.all ~= ARGV[9] or old.names ~= ARGV[10] then change() end
standing[#standing + 1] = {
  id = ARGV[7], deadline = now + tonumber(ARGV[8]), lease = ARGV[8], all = ARGV[9], names = ARGV[10],
}
