-- Carries out one operation on the hash of a database. Whatever the operation is,
-- the script first makes sure that the hash can be trusted, and turns the fences
-- whose time to live has ended into clears. At the end it writes what changed, announces
-- it, and returns what the caller needs to know.
--
-- KEYS[1]  the hash
-- ARGV     1 a fresh token, 2 the channel, 3 the database as it is announced,
--          4 the epoch and version that the caller knows, as in the field e,
--          5 the lines of fences that have expired by the clock of the caller,
--          6 the operation, which is one of those below; then its own arguments
--
-- It returns the epoch, the version and the fences, and where epoch and version
-- are not those that the caller knows, all fields of the hash.
--
-- Fields: e epoch and version, which one small read tells, b base token, r run,
-- n number of all fields, f fences, one a line: id, deadline (by the server's
-- clock, for people to read), time to live (milliseconds), all ("0" or "1"), "!"
-- with the token of the last renewal, and caches; c<cache> a token. Names are
-- escaped, so spaces separate them.
local key, fresh = KEYS[1], ARGV[1]

-- info returns a section of INFO, '' if the server does not tell it, and an error
-- if the user may not ask for it.
local function info(section)
  local text = redis.pcall('INFO', section)
  if type(text) ~= 'table' then return text end
  if string.find(text.err, 'NOPERM', 1, true) or string.find(text.err, "can't run this command", 1, true) then
    return '', redis.error_reply('NOPERM the user may not run INFO')
  end
  return ''
end

-- field returns a field of a section, '' if it is not there.
local function field(text, name)
  return string.match('\n' .. text .. '\n', '\n' .. name .. ':[ \t]*([^\r\n]-)[ \t]*[\r\n]') or ''
end

-- current_run returns which run of which server this is, or nothing and an error
-- if the server is no master.
--
-- A server is another one after a restart (run_id), and after it was a replica
-- (master_replid): both may have lost changes. One that does not tell both, and
-- that it is a master, may be another at any time: its run has a part missing.
local function current_run()
  local replication, denied = info('replication')
  -- Servers that only look like Redis have roles in which they take writes that
  -- get lost, such as active-replica.
  local role = string.lower(field(replication, 'role'))
  if role ~= '' and role ~= 'master' then
    return nil, redis.error_reply('READONLY the server is ' .. (role == 'slave' and 'a replica' or 'no master, its role is ' .. role))
  end
  local server = ''
  if role ~= '' then server, denied = info('server') end
  if denied then return nil, denied end
  return field(server, 'run_id') .. '/' .. field(replication, 'master_replid')
end

-- change counts a change of the database, once for each call of the script.
local function change(db)
  if db.changed then return end
  db.changed = true
  db.version = db.version + 1
end

-- token returns a new token. The version makes that of a call which is delivered
-- twice another one.
local function token(db) return fresh .. '.' .. string.format('%.0f', db.version) end

-- read returns what the hash holds. It starts a new epoch, with the fences that
-- stand, if the hash is missing, damaged, or of another run.
local function read(run)
  local clock = redis.call('TIME')
  local head = redis.pcall('HMGET', key, 'e', 'b', 'r', 'n', 'f')
  if head.err then head = {} end
  local epoch, version = string.match(head[1] or '', '^(%S+) (%d+)$')
  version = tonumber(version)
  if version and version >= 2 ^ 53 then version = nil end -- it could not be counted on
  local db = {
    now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000), -- milliseconds
    epoch = epoch,
    version = version,
    base = head[2],
    lines = head[5], -- the field f, as it was
    fences = {},     -- those that stand
    changed = false,
  }
  if version and db.base and db.lines and head[3] == run and tonumber(head[4]) == redis.call('HLEN', key) then return db end
  redis.call('DEL', key)
  db.version = math.max(version or 0, tonumber(clock[1]) * 1000000 + tonumber(clock[2]))
  change(db)
  db.epoch, db.base, db.lines = token(db), token(db), db.lines or ''
  redis.call('HSET', key, 'b', db.base, 'r', run, 'n', 0)
  return db
end

-- start starts new generations of the caches named, and of all if all == '1'.
local function start(db, all, names)
  change(db)
  local new = token(db)
  if all == '1' then
    for _, name in ipairs(redis.call('HKEYS', key)) do
      if string.sub(name, 1, 1) == 'c' then redis.call('HDEL', key, name) end
    end
    db.base = new
    redis.call('HSET', key, 'b', new)
  end
  for name in string.gmatch(names, '%S+') do redis.call('HSET', key, 'c' .. name, new) end
end

-- resolve finds the fences that stand. A fence expires when a process has seen the
-- very same line for the whole time to live, by its own clock: then its owner has
-- not renewed it. The clock of the server does not matter, as it may be set.
local function resolve(db)
  local expired = '\n' .. ARGV[5] .. '\n'
  for line in string.gmatch(db.lines, '[^\n]+') do
    local id, deadline, ttl, all, names = string.match(line, '^(%S+) (%d+) (%d+) ([01])(.*)$')
    if not id or #ttl > 13 or #deadline > 15 then
      start(db, '1', '')
    else
      names = string.gsub(names, '^ !%S*', '')
      if string.find(expired, '\n' .. line .. '\n', 1, true) then
        start(db, all, names)
      else
        table.insert(db.fences, { id = id, all = all, names = names, line = line })
      end
    end
  end
end

-- lift takes the fence id away and returns it, nil if it does not stand.
local function lift(db, id)
  for i, fence in ipairs(db.fences) do
    if fence.id == id then return table.remove(db.fences, i) end
  end
end

local operations = {}

-- sync makes sure of the hash, and no more.
function operations.sync() end

-- fence places or renews a fence. ARGV: 7 id, 8 time to live in milliseconds, 9 all, and
-- 10 the caches' names, each after a space.
function operations.fence(db)
  local id, ttl, all, names = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
  local old = lift(db, id)
  if not old or old.all ~= all or old.names ~= names then change(db) end
  local deadline = string.format('%.0f', db.now + tonumber(ttl))
  local line = id .. ' ' .. deadline .. ' ' .. ttl .. ' ' .. all .. ' !' .. fresh .. names
  table.insert(db.fences, { id = id, all = all, names = names, line = line })
end

-- clear clears caches and lifts their fence. ARGV: 7 id, 8 all, then for each
-- cache its name and the token of the generation that the caller began with. Where
-- that is still the token, and the fence stood, the id is the new one.
function operations.clear(db)
  local id, all = ARGV[7], ARGV[8]
  local stood = lift(db, id)
  local unchanged, others = {}, ''
  for i = 9, #ARGV, 2 do
    if stood and (redis.call('HGET', key, 'c' .. ARGV[i]) or db.base) == ARGV[i + 1] then
      table.insert(unchanged, ARGV[i])
    else
      others = others .. ' ' .. ARGV[i]
    end
  end
  start(db, all, others)
  for _, name in ipairs(unchanged) do redis.call('HSET', key, 'c' .. name, id) end
end

-- unfence lifts a fence without a clear. ARGV: 7 id.
function operations.unfence(db)
  if lift(db, ARGV[7]) then change(db) end
end

-- finish writes and announces what changed, and returns the reply.
local function finish(db)
  local list = {}
  for i, fence in ipairs(db.fences) do list[i] = fence.line end
  local lines = table.concat(list, '\n')
  local version = string.format('%.0f', db.version)
  local both = db.epoch .. ' ' .. version
  if db.changed or lines ~= db.lines then
    redis.call('HSET', key, 'e', both, 'f', lines)
    redis.call('HSET', key, 'n', redis.call('HLEN', key))
  end
  if db.changed then
    local sent = redis.pcall('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. both)
    if type(sent) == 'table' then return sent end
  end
  if both == ARGV[4] then return { db.epoch, version, lines } end
  return { db.epoch, version, lines, redis.call('HGETALL', key) }
end

local run, refused = current_run()
if refused then return refused end

-- Once a script has written, it is not stopped for want of memory. So a server
-- that is full of values still takes clears, which are small.
local poked = redis.pcall('HDEL', key, '')
if type(poked) == 'table' and not string.find(poked.err, 'WRONGTYPE', 1, true) then return poked end

local db = read(run)
resolve(db)
operations[ARGV[6]](db)
return finish(db)
