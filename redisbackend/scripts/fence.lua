-- Places or renews a fence. ARGV: 7 id, 8 lease in milliseconds, 9 all, and
-- 10 the caches' names, each after a space.
local old = lift(ARGV[7])
if not old or old.all ~= ARGV[9] or old.names ~= ARGV[10] then change() end
local deadline = string.format('%.0f', now + tonumber(ARGV[8]))
standing[#standing + 1] = {
  id = ARGV[7], all = ARGV[9], names = ARGV[10],
  line = ARGV[7] .. ' ' .. deadline .. ' ' .. ARGV[8] .. ' ' .. ARGV[9] .. ' !' .. fresh .. ARGV[10],
}
