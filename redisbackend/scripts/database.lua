-- Carries out one operation on the hash of a database. Whatever the operation is,
-- the script first makes sure that the hash can be trusted, and turns the fences
-- whose time to live has ended into clears. At the end it writes what changed, announces
-- it, and returns what the caller needs to know.
--
-- KEYS[1]  the hash
-- ARGV     1 a fresh token, 2 the channel, 3 the database as it is announced,
--          4 the epoch and version that the caller knows, as in the field e, and
--            the last entry of the log,
--          5 the lines of fences that have expired by the clock of the caller,
--          6 words: the operation, which is one of those below, the caller's name as a
--            member, the number of its request if it wants to be registered, else 0, and the
--            epoch and the serial number up to which it knows registrations to be over;
--          then the operation's own arguments
--
-- It returns the epoch, the version, the fences, the serial number of the last registration, that
-- up to which the operation has to wait for members, for how many others it has to, "1" if
-- it also has to for members that the hash does not know, and "1" if the caller is
-- registered by this request. Where
-- epoch and version are not those that the caller knows, "since" and the entries of the
-- log that the caller lacks follow, or "whole" and all fields of the hash.
--
-- Fields: e epoch and version, which one small read tells, b base token, r run,
-- n number of all fields, f fences, one a line: id, deadline (by the server's
-- clock, for people to read), time to live (milliseconds), all ("0" or "1"), "!"
-- with the token of the last renewal, and, each after a "/", the version of the change that
-- placed the fence and the serial number of the last registration then, and what is to be
-- cleared or deleted;
-- c<cache> a token. The log of changes: w<number> an entry, which is the version of the change
-- and what it cleared and deleted, s the version, the last entry, the last that was dropped, and
-- how many keys and caches the others name; o<cache> the floor, which is the version
-- of the last delete of the cache that was dropped. m the serial number of the last registration,
-- and, one a line, in the order of their serial numbers, the members that may use
-- a state without asking: name, number of the request, serial number, and of fences of
-- keys that the member has acknowledged, the versions of the changes that placed them.
--
-- Items after spaces say what is cleared or deleted: <cache> in a fence, and
-- <cache>@<token> in the log, a clear; <cache>#<hash>#<hash> deletes of keys, or of tags if the
-- cache has no name. Names are escaped, so none of these signs is in them.
local key, fresh = KEYS[1], ARGV[1]

-- most is how many keys and caches the log names, farthest how many entries are
-- sent to a caller that lacks them, and batch how many fields a command is given.
local most, farthest, batch = 16384, 1024, 1000

local operation, member, request, over_epoch, over_serial = string.match(ARGV[6], '^(%S+) (%S+) (%d+) (%S+) (%d+)$')
request, over_serial = tonumber(request), tonumber(over_serial)

-- info returns a section of INFO between line ends, '' if the server does not tell it, and an
-- error if the user may not ask for it.
local function info(section)
  local text = redis.pcall('INFO', section)
  if type(text) ~= 'table' then return '\n' .. text .. '\n' end
  if string.find(text.err, 'NOPERM', 1, true) or string.find(text.err, "can't run this command", 1, true) then
    return '', redis.error_reply('NOPERM the user may not run INFO')
  end
  return ''
end

-- field returns a field of a section, '' if it is not there. A pattern would be tried at each
-- letter before it.
local function field(text, name)
  local _, colon = string.find(text, '\n' .. name .. ':', 1, true)
  return colon and string.match(text, '^[ \t]*([^\r\n]-)[ \t]*[\r\n]', colon + 1) or ''
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

-- text returns a whole number in digits.
local function text(number) return string.format('%.0f', number) end

-- parse_log returns the log that a field s tells of, an empty one if there is no
-- such field, and nothing if it cannot be understood.
local function parse_log(said)
  local version, head, tail, count = string.match(said or '0 0 0 0', '^(%d+) (%d+) (%d+) (%d+)$')
  local log = { version = tonumber(version), head = tonumber(head), tail = tonumber(tail), count = tonumber(count) }
  if log.head and log.tail <= log.head and log.head < 2 ^ 53 then return log end
end

-- unknown is the name of the members of whom the hash knows nothing, as it is new: they
-- may be registered in a hash that was lost.
local unknown = '?'

-- registration takes a line of the field m apart: name, number of the request, serial number,
-- the fences that are acknowledged, and where the next begins.
local registration = '\n(%S+) (%d+) (%d+)([ %d]*)()'

-- parse_members returns the registrations that a field m tells of, and nothing if it cannot be
-- understood. A hash that has none is new, or only older releases have written it.
local function parse_members(said)
  local serial, lines = string.match(said or '1\n' .. unknown .. ' 0 1', '^(%d+)(.*)$')
  if serial and string.gsub(lines, registration, '') == '' then return { serial = tonumber(serial), lines = lines } end
end

-- deletes takes an item apart. It returns the cache and how many keys of it are
-- deleted, nothing for a clear, and nil and true for what cannot be understood.
local function deletes(item)
  local cache, hashes = string.match(item, '^([^#@]*)(#.*)$')
  if not cache then return nil, string.find(item, '#', 1, true) ~= nil end
  local rest, count = string.gsub(hashes, '#' .. string.rep('[0-9a-f]', 16), '')
  if rest ~= '' then return nil, true end
  return cache, count
end

-- read returns what the hash holds. It starts a new epoch, with the fences that
-- stand, if the hash is missing, damaged, or of another run.
local function read(run)
  local clock = redis.call('TIME')
  local head = redis.pcall('HMGET', key, 'e', 'b', 'r', 'n', 'f', 's', 'm')
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
    log = parse_log(head[6]),
    said = head[7],  -- the field m, as it was
    members = parse_members(head[7]),
    waits = false,   -- or the fence for which the operation waits for other members
    again = false,   -- whether what was changed before is announced again
    registered = false, -- whether the caller is by this request
    items = {},      -- what this call clears and deletes
    count = 0,       -- of the keys and caches in items
    changed = false,
  }
  if version and db.base and db.lines and db.log and db.members and head[3] == run and tonumber(head[4]) == redis.call('HLEN', key) then return db end
  redis.call('DEL', key)
  db.version = math.max(version or 0, tonumber(clock[1]) * 1000000 + tonumber(clock[2]))
  change(db)
  db.epoch, db.base, db.lines = token(db), token(db), db.lines or ''
  db.log = parse_log()
  db.said, db.members = nil, parse_members()
  redis.call('HSET', key, 'b', db.base, 'r', run, 'n', 0)
  return db
end

-- remove removes fields from the hash.
local function remove(fields)
  for i = 1, #fields, batch do redis.call('HDEL', key, unpack(fields, i, math.min(i + batch - 1, #fields))) end
end

-- start_afresh starts new generations of all caches, without a log. No caller may believe
-- that it can make up for this by the log.
local function start_afresh(db, gone)
  local fields = {}
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.find(name, gone) then table.insert(fields, name) end
  end
  remove(fields)
  db.base = token(db)
  redis.call('HSET', key, 'b', db.base)
  db.items, db.count = {}, 0
  db.log.head = db.log.head + 1
  db.log.tail, db.log.count = db.log.head, 0
end

-- note makes an item part of the entry that this call adds to the log.
local function note(db, item, count)
  table.insert(db.items, item)
  db.count = db.count + count
end

-- set gives a cache a token.
local function set(db, cache, new)
  redis.call('HSET', key, 'c' .. cache, new)
  note(db, cache .. '@' .. new, 1)
end

-- forget drops the oldest entries of the log until the others name no more than so many
-- keys and caches. The floors rise to the deletes that are dropped. // P4
local function forget(db, keep)
  local log, floors = db.log, {}
  while log.count > keep and log.tail < log.head do
    local fields, dropped = {}, {}
    for number = log.tail + 1, math.min(log.head, log.tail + math.min(log.count - keep, batch)) do
      table.insert(fields, 'w' .. text(number))
    end
    for i, entry in ipairs(redis.call('HMGET', key, unpack(fields))) do
      if log.count > keep then
        local version, items = string.match(entry or '', '^(%d+)( .+)$')
        if not version then return start_afresh(db, '^[cow]') end
        for item in string.gmatch(items, '%S+') do
          local cache, count = deletes(item)
          if cache then floors[cache] = version end
          log.count = log.count - (cache and count or 1)
        end
        table.insert(dropped, fields[i])
      end
    end
    log.tail = log.tail + #dropped
    remove(dropped)
  end
  for cache, version in pairs(floors) do redis.call('HSET', key, 'o' .. cache, version) end
end

-- start_all starts new generations of all caches. Deletes of before concern no value of
-- these, but the floors rise to them: the caller may have begun before a delete. // P4
local function start_all(db)
  forget(db, 0)
  for _, item in ipairs(db.items) do
    local cache = deletes(item)
    if cache then redis.call('HSET', key, 'o' .. cache, text(db.version)) end
  end
  start_afresh(db, '^[cw]')
end

-- start starts new generations of the caches named, and of all if all == '1', and
-- deletes the keys that are named.
local function start(db, all, names)
  change(db)
  if all == '1' then start_all(db) end
  for item in string.gmatch(names, '%S+') do
    local cache, count = deletes(item)
    if cache then note(db, item, count) else set(db, item, token(db)) end
  end
end

-- catch_up makes sure that the log tells of all changes. Scripts of an older release
-- have kept none: who lacks something must get the whole. // P3
local function catch_up(db)
  if db.changed or db.log.version == db.version then return end
  change(db)
  forget(db, 0)
  db.log.head = db.log.head + 1
  db.log.tail, db.log.count = db.log.head, 0
end

-- readable reports whether the items of a fence can be understood. It is usually that of one key.
local function readable(items)
  local hash = string.match(items, '^ [^#@ ]*#([0-9a-f]+)$')
  if hash then return #hash == 16 end
  if not string.find(items, '#', 1, true) then return true end
  for item in string.gmatch(items, '%S+') do
    local cache, wrong = deletes(item)
    if not cache and wrong then return false end
  end
  return true
end

-- resolve finds the fences that stand. A fence expires when a process has seen the
-- very same line for the whole time to live, by its own clock: then its owner has
-- not renewed it. The clock of the server does not matter, as it may be set.
local function resolve(db)
  local expired = ARGV[5] ~= '' and '\n' .. ARGV[5] .. '\n'
  for line in string.gmatch(db.lines, '[^\n]+') do
    local id, deadline, ttl, all, rest = string.match(line, '^(%S+) (%d+) (%d+) ([01])(.*)$')
    local placed, serial, names = string.match(rest or '', '^ !%w*/(%d+)/(%d+)%S*(.*)$')
    names = names or string.gsub(rest or '', '^ !%S*', '')
    if not id or #ttl > 13 or #deadline > 15 or not readable(names) then
      start(db, '1', '')
    else
      if expired and string.find(expired, '\n' .. line .. '\n', 1, true) then
        start(db, all, names)
      else
        -- A process that has placed it without these two waits for nobody.
        placed, serial = placed or '0', serial or text(db.members.serial)
        table.insert(db.fences, { id = id, all = all, names = names, placed = placed, serial = serial, line = line })
      end
    end
  end
end

-- whole reports whether a fence is not of keys alone. A member that hears of such a one must not use
-- any earlier state.
local function whole(fence)
  if fence.all == '1' then return true end
  for item in string.gmatch(fence.names, '%S+') do
    if not deletes(item) then return true end
  end
  return false
end

-- lift takes the fence id away and returns it, nil if it does not stand.
local function lift(db, id)
  for i, fence in ipairs(db.fences) do
    if fence.id == id then return table.remove(db.fences, i) end
  end
end

-- log_items adds an entry to the log.
local function log_items(db)
  if #db.items == 0 then return end
  db.log.head = db.log.head + 1
  redis.call('HSET', key, 'w' .. text(db.log.head), text(db.version) .. ' ' .. table.concat(db.items, ' '))
  db.log.count = db.log.count + db.count
  forget(db, most)
end

-- end_registrations removes those that the caller knows to be over. Serial numbers of
-- another epoch mean nothing here.
local function end_registrations(db)
  if over_epoch ~= db.epoch then return end
  local members, stop = db.members, 1
  for _, _, serial, _, next in string.gmatch(members.lines, registration) do
    if tonumber(serial) > over_serial then break end
    stop = next
  end
  members.lines = string.sub(members.lines, stop)
end

-- register makes the caller a member, in the step that reads the state. A request that is
-- late, or is delivered twice, changes nothing: an earlier answer may still be in use.
local function register(db)
  local members = db.members
  local from = string.find(members.lines, '\n' .. member .. ' ', 1, true)
  if from then
    local _, before, _, _, stop = string.match(members.lines, registration, from)
    db.registered = tonumber(before) == request
    if tonumber(before) >= request then return end
    members.lines = string.sub(members.lines, 1, from - 1) .. string.sub(members.lines, stop)
  end
  members.serial = members.serial + 1
  members.lines = members.lines .. '\n' .. member .. ' ' .. text(request) .. ' ' .. text(members.serial)
  db.registered = true
end

-- others counts the members other than the caller that were registered before a fence and have
-- not acknowledged it, and says whether there may be some that the hash does not know.
local function others(db, fence)
  local count, more = 0, false
  for name, _, serial, acknowledged in string.gmatch(db.members.lines, registration) do
    if tonumber(serial) > tonumber(fence.serial) then break end
    if name == unknown then
      more = true
    elseif name ~= member and not string.find(acknowledged .. ' ', ' ' .. fence.placed .. ' ', 1, true) then
      count = count + 1
    end
  end
  return count, more
end

-- everyone stands for a fence that was placed now and that nobody acknowledges by itself.
local function everyone(db) return { placed = '0', serial = text(db.members.serial) } end

local operations = {}

-- sync makes sure of the hash. It registers the caller if that wants it, but not while a
-- fence of a cache stands: a state with such a fence must not be used without asking.
function operations.sync(db)
  if request == 0 then return end
  for _, fence in ipairs(db.fences) do
    if whole(fence) then return end
  end
  register(db)
end

-- wait asks whether the members are gone that were registered when a change was made.
-- ARGV: 7 the epoch and 8 the serial number that the change has returned, 9 "1" if it is
-- to be announced again where members are left.
function operations.wait(db)
  db.again = ARGV[9] == '1'
  db.waits = everyone(db)
  if ARGV[7] == db.epoch then db.waits.serial = ARGV[8] end
end

-- fence places or renews a fence. ARGV: 7 id, 8 time to live in milliseconds, 9 all, and
-- 10 what is to be cleared and deleted, each item after a space, 11 "1" as 9 of wait.
function operations.fence(db)
  db.again = ARGV[11] == '1'
  local id, ttl, all, names = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
  local fence = lift(db, id)
  if not fence or fence.all ~= all or fence.names ~= names then
    change(db)
    fence = { id = id, all = all, names = names, placed = text(db.version), serial = text(db.members.serial) }
  end
  local placing = '/' .. fence.placed .. '/' .. fence.serial
  fence.line = id .. ' ' .. text(db.now + tonumber(ttl)) .. ' ' .. ttl .. ' ' .. all .. ' !' .. fresh .. placing .. names
  table.insert(db.fences, fence)
  db.waits = fence
end

-- clear clears caches, deletes keys and lifts their fence. ARGV: 7 id, 8 all, 9 the
-- keys, each item after a space, then for each
-- cache its name and the token of the generation that the caller began with. Where
-- that is still the token, and the fence stood, the id is the new one.
function operations.clear(db)
  local id, all = ARGV[7], ARGV[8]
  local stood = lift(db, id)
  local unchanged, others, names = {}, ARGV[9], ''
  for i = 10, #ARGV, 2 do
    names = names .. ' ' .. ARGV[i]
    if stood and (redis.call('HGET', key, 'c' .. ARGV[i]) or db.base) == ARGV[i + 1] then
      table.insert(unchanged, ARGV[i])
    else
      others = others .. ' ' .. ARGV[i]
    end
  end
  db.waits = stood
  if not stood or stood.all ~= all or stood.names ~= names .. ARGV[9] then db.waits = everyone(db) end
  if #db.items > 0 then -- of expired fences: the caller must not take these deletes for its own // P4
    log_items(db)
    db.items, db.count, db.version = {}, 0, db.version + 1
  end
  start(db, all, others)
  for _, name in ipairs(unchanged) do set(db, name, id) end
end

-- unfence lifts a fence without a clear. ARGV: 7 id.
function operations.unfence(db)
  if lift(db, ARGV[7]) then change(db) end
end

-- since returns the entries of the log after the one of that number, nothing if they are
-- not all there, or too many.
local function since(db, number)
  local log, entries = db.log, {}
  if number < log.tail or number > log.head or log.head - number > farthest then return end
  while number < log.head do
    local fields = {}
    for next = number + 1, math.min(log.head, number + batch) do table.insert(fields, 'w' .. text(next)) end
    for _, entry in ipairs(redis.call('HMGET', key, unpack(fields))) do table.insert(entries, entry) end
    number = number + #fields
  end
  return entries
end

-- publish returns an error if it is refused.
local function publish(channel, message)
  local sent = redis.pcall('PUBLISH', channel, message)
  if type(sent) == 'table' then return sent end
end

-- largest is how long the items are of which members are told.
local largest = 8192

-- tell tells members of a fence that waits for them, as of a whole one where the change
-- is none of keys. It returns an error if it is refused.
local function tell(db, fence)
  local items = ' *'
  if operation == 'fence' and not whole(fence) and #fence.names <= largest then items = fence.names end
  return publish(ARGV[2] .. ':members', ARGV[3] .. ' ' .. db.epoch .. ' ' .. fence.placed .. items)
end

-- finish writes and announces what changed, and returns the reply.
local function finish(db)
  local list = {}
  for i, fence in ipairs(db.fences) do list[i] = fence.line end
  local lines = table.concat(list, '\n')
  local version = text(db.version)
  local both = db.epoch .. ' ' .. version
  if db.changed or lines ~= db.lines then
    log_items(db)
    local log = version .. ' ' .. text(db.log.head) .. ' ' .. text(db.log.tail) .. ' ' .. text(db.log.count)
    redis.call('HSET', key, 'e', both, 'f', lines, 's', log)
  end
  local members = text(db.members.serial) .. db.members.lines
  if members ~= db.said then redis.call('HSET', key, 'm', members) end
  if db.changed or lines ~= db.lines or not db.said then redis.call('HSET', key, 'n', redis.call('HLEN', key)) end
  local count, more = 0, false
  if db.waits then count, more = others(db, db.waits) end
  local untold, refused -- one of them that may not be published is no reason to keep the other back
  if count > 0 and (db.changed or db.again) then untold = tell(db, db.waits) end
  if db.changed then refused = publish(ARGV[2], ARGV[3] .. ' ' .. both) end
  if untold or refused then return untold or refused end
  local reply = {
    db.epoch, version, lines, text(db.members.serial), db.waits and db.waits.serial or '0',
    text(count), more and '1' or '0', db.registered and '1' or '0',
  }
  local epoch, known, last = string.match(ARGV[4], '^(%S+) (%d+) (%d+)$')
  if epoch == db.epoch then
    if known == version then return reply end
    local entries = since(db, tonumber(last))
    if entries then
      reply[9], reply[10] = 'since', entries
      return reply
    end
  end
  reply[9], reply[10] = 'whole', redis.call('HGETALL', key)
  return reply
end

local run, unfit = current_run()
if unfit then return unfit end

-- Once a script has written, it is not stopped for want of memory. So a server
-- that is full of values still takes clears, which are small.
local poked = redis.pcall('HDEL', key, '')
if type(poked) == 'table' and not string.find(poked.err, 'WRONGTYPE', 1, true) then return poked end

local db = read(run)
catch_up(db)
end_registrations(db)
resolve(db)
operations[operation](db)
return finish(db)
