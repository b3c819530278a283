-- The end of every script on the hash of a database: it writes what changed,
-- announces it, and returns what the caller needs to know: the epoch and
-- version, the fences, and where epoch and version are not the ones it knows,
-- the whole hash.
local lines = {}
for i, fence in ipairs(standing) do lines[i] = fence.line end
local written = table.concat(lines, '\n')
local text = string.format('%.0f', version)
if changed or written ~= fences then
  redis.call('HSET', key, 'e', epoch .. ' ' .. text, 'f', written)
  redis.call('HSET', key, 'n', redis.call('HLEN', key))
end
if changed then
  local sent = redis.pcall('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. epoch .. ' ' .. text)
  if type(sent) == 'table' then return sent end
end
if epoch == ARGV[4] and text == ARGV[5] then return { epoch, text, written } end
return { epoch, text, written, redis.call('HGETALL', key) }
