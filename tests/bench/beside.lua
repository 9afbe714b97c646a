-- For wrk, in place of the scripts of the harness: its own for its own rows; for ours (BENCH_TMP/doors has the port) whole requests from BENCH_TMP/KIND.requests, all of
-- one length (KIND.bytes), mapped into memory. Thread t of two takes the requests start + t, start + t + 2, ...; KIND.next keeps where the next run starts.
-- A link key is asked with once; citizens are asked for again and again.
local ffi = require "ffi"
ffi.cdef [[
int open(const char *, int); long lseek(int, long, int); int close(int);
void *mmap(void *, size_t, int, int, int, long);
]]
local harness, threads = os.getenv("BENCH_HARNESS"), 0

local function number_in(path)
    local f = io.open(path)
    local n = f and f:read("*n") or 0
    if f then f:close() end
    return n
end

function setup(thread)
    thread:set("me", threads)
    threads = threads + 1
    all = all or {}
    all[threads] = thread
end

local function ours(path)
    if path == "/health" then return end -- the door alone: wrk's own GET
    kind = tmp .. "/" .. (path:find("^/v1/portal/") and "citizens" or path:find("/list$") and "lists" or "requests")
    local bytes, start = number_in(kind .. ".bytes"), number_in(kind .. ".next")
    local fd = ffi.C.open(kind, 0)
    local size = tonumber(ffi.C.lseek(fd, 0, 2))
    local map = ffi.cast("const char *", ffi.C.mmap(nil, size, 1, 1, fd, 0))
    ffi.C.close(fd)
    local n, again = size / bytes, path:find("^/v1/portal/")
    sent = 0
    request = function()
        local i = start + me + sent * 2
        sent = sent + 1
        if again then i = i % n elseif i >= n then i = n - 1 end -- used up: what comes is an error, and is counted as one
        return ffi.string(map + i * bytes, bytes)
    end
end

function init(args)
    tmp = args[1]
    local doors = io.open(tmp .. "/doors/" .. wrk.port)
    if doors then
        doors:close()
        ours(wrk.path)
    else
        local kind = wrk.path:find("clinic") and "clinic" or "get"
        dofile(harness .. "/load/" .. kind .. ".lua")
        init(args)
    end
end

function done(summary, latency)
    local most = 0
    for _, thread in ipairs(all or {}) do most = math.max(most, thread:get("sent") or 0) end
    if most > 0 then
        local kind = all[1]:get("kind")
        local start = number_in(kind .. ".next")
        local f = io.open(kind .. ".next", "w")
        f:write(string.format("%d\n", start + 2 * most))
        f:close()
    end
    dofile(harness .. "/load/report.lua")(summary, latency)
end
