-- Clears caches and lifts their fence. ARGV: 7 id, 8 all, then for each cache
-- its name and the token of the generation that the caller began with.
local stood = lift(ARGV[7])
local started, names = {}, ''
for i = 9, #ARGV, 2 do
  if stood and (redis.call('HGET', key, 'c' .. ARGV[i]) or base) == ARGV[i + 1] then
    started[#started + 1] = ARGV[i]
  else
    names = names .. ' ' .. ARGV[i]
  end
end
clear(ARGV[8], names)
for _, name in ipairs(started) do redis.call('HSET', key, 'c' .. name, ARGV[7]) end
