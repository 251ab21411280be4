-- The requests of all HTTP rows, and what came of them as one line of JSON.
--   wrk … -s load.lua URL -- WHAT FILE SEED [PAUSE_MS]
-- WHAT: health, balance, transfer, or hot (transfers that all debit the first account);
--   earn, redeem and points of the members member-1 …, one for each user; redeem-points, my-points; board-all,
--   board-month, board-week; analytics; checkout, and paid (callbacks of the invoices from number SEED on).
-- FILE: a line for each user: token, tab, account ids separated by commas. PAUSE_MS: the mean time between a
-- reply and the connection's next request.
-- Requests are built as text and replies are not looked at here (wrk counts the bad ones): the generator shares
-- the machine with the server.
local accounts, owners, heads = {}, {}, {}
local random, format = math.random, string.format

local function head(method, path, token, more)
    return format("%s %s HTTP/1.1\r\nHost: %s:%s\r\n%s%s", method, path, wrk.host, wrk.port,
        token and "Authorization: Bearer " .. token .. "\r\n" or "", more)
end

local function read_accounts(file)
    for line in io.lines(file) do
        local token, list = line:match("^(.-)\t(.*)$")
        heads[#heads + 1] = token
        for id in list:gmatch("[^,]+") do
            accounts[#accounts + 1] = id
            owners[#owners + 1] = #heads
        end
    end
end

local function health()
    local text = head("GET", "/health", nil, "\r\n")
    return function() return text end
end

local function balance()
    return function()
        local i = random(#accounts)
        return head("GET", "/api/accounts/balance/" .. accounts[i], heads[owners[i]], "\r\n")
    end
end

-- Names a request once and for all: no two of a run are the same, nor those of two runs.
local function keys(seed)
    local sent = 0
    return function()
        sent = sent + 1
        return format("%08x-%08x-%08x", random(0, 2147483647), seed, sent)
    end
end

local function transfer(seed, first_only)
    -- A public id is 24 hexadecimal characters and a JSON string; the peer's are numbers.
    local quote = #accounts[1] == 24 and '"' or ""
    local key = keys(seed)
    for i, token in ipairs(heads) do
        heads[i] = head("POST", "/api/transactions", token, "Content-Type: application/json\r\nContent-Length: ")
    end
    return function()
        local from = first_only and 1 or random(#accounts)
        local to = (from + random(#accounts - 1) - 1) % #accounts + 1
        local body = format('{"fromAccount":%s%s%s,"toAccount":%s%s%s,"amount":1,"idempotencyKey":"%s"}',
            quote, accounts[from], quote, quote, accounts[to], quote, key())
        return heads[owners[from]] .. #body .. "\r\n\r\n" .. body
    end
end

-- A user's member is called after his line; the peer has but the number.
local function member(i)
    return (#accounts[1] == 24 and "member-" or "") .. i
end

-- One text for each user, made before the first is sent.
local function texts(make)
    local made = {}
    for i, token in ipairs(heads) do made[i] = make(i, token) end
    return function() return made[random(#made)] end
end

local function read(path)
    return texts(function(_, token) return head("GET", path, token, "\r\n") end)
end

local function read_member()
    return texts(function(i) return head("GET", "/rewards/points/" .. member(i), nil, "\r\n") end)
end

local function post(path, body, signed_in)
    local more = format("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", #body, body)
    return texts(function(i, token)
        return head("POST", (path:gsub("MEMBER", member(i))), signed_in and token, more)
    end)
end

-- As a transfer each has a key of its own; here it stands in a header.
local function move(seed, path, body, signed_in)
    local key, rest = keys(seed), "\r\n\r\n" .. body
    local top = texts(function(i, token)
        return head("POST", (path:gsub("MEMBER", member(i))), signed_in and token,
            format("Content-Type: application/json\r\nContent-Length: %d\r\nIdempotency-Key: ", #body))
    end)
    return function() return top() .. key() .. rest end
end

local function paid(seed)
    local top = "Content-Type: application/json\r\nx-callback-token: bench-secret-bench-secret-bench-secret\r\nContent-Length: "
    local text, n = head("POST", "/payment-callback", nil, top), seed - 1
    return function()
        n = n + 1
        local body = format('{"id":"inv_bench_%d","external_id":"bench-%d","status":"PAID","amount":10,"paid_amount":10,' ..
            '"currency":"USD","payment_method":"EWALLET","payment_channel":"OVO"}', n, n)
        return text .. #body .. "\r\n\r\n" .. body
    end
end

local kinds = {
    health = health, balance = balance, transfer = transfer,
    hot = function(seed) return transfer(seed, true) end,
    earn = function(seed)
        return move(seed, "/rewards/add-points/MEMBER", '{"points":1,"category":"shopping","amount":1}')
    end,
    redeem = function(seed)
        return move(seed, "/rewards/redeem/MEMBER", '{"pointsToRedeem":50,"rewardType":"discount"}')
    end,
    points = read_member,
    ["redeem-points"] = function(seed) return move(seed, "/api/points/redeem", '{"amount":1}', true) end,
    ["my-points"] = function() return read("/api/points/my-points") end,
    ["board-all"] = function() return read("/api/points/leaderboard?period=all") end,
    ["board-month"] = function() return read("/api/points/leaderboard?period=month") end,
    ["board-week"] = function() return read("/api/points/leaderboard?period=week") end,
    checkout = function() return post("/payment-checkout", '{"amount":10,"description":"Top-up"}', true) end,
    paid = paid,
    analytics = function() return read("/analytics/rewards-distribution") end,
}

function init(args)
    local what, seed, pause = args[1], tonumber(args[3]), tonumber(args[4])
    math.randomseed(seed)
    if what ~= "health" then read_accounts(args[2]) end
    request = kinds[what](seed)
    if pause then delay = function() return random(0, 2 * pause) end end
end

function done(summary, latency)
    local e = summary.errors
    io.write(format('{"seconds":%.6f,"requests":%d,"bad":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
        summary.duration / 1e6, summary.requests, e.status, e.connect + e.read + e.write + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
