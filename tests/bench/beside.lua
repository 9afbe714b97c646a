-- For wrk, in place of the scripts of the harness: its own for its own rows; for ours each request once, from BENCH_TMP/ours.requests (all of one
-- length, mapped into memory). Thread t of T takes the requests start + t, start + t + T, ...; BENCH_TMP/ours.next keeps where the next run starts.
local ffi = require "ffi"
ffi.cdef [[
int open(const char *, int); long lseek(int, long, int); int close(int);
void *mmap(void *, size_t, int, int, int, long);
]]
local harness, threads = os.getenv("BENCH_HARNESS"), 0

local function next_of(tmp)
    local f = io.open(tmp .. "/ours.next")
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

local function ours(tmp)
    local bytes = io.open(tmp .. "/ours.bytes"):read("*n")
    local fd = ffi.C.open(tmp .. "/ours.requests", 0)
    local size = tonumber(ffi.C.lseek(fd, 0, 2))
    local map = ffi.cast("const char *", ffi.C.mmap(nil, size, 1, 1, fd, 0))
    ffi.C.close(fd)
    local n, start = size / bytes, next_of(tmp)
    sent = 0
    request = function()
        local i = start + me + sent * 2 -- of two threads
        sent = sent + 1
        if i >= n then i = n - 1 end    -- used up: what comes is an error, and is counted as one
        return ffi.string(map + i * bytes, bytes)
    end
end

function init(args)
    tmp = args[1]
    if wrk.path:find("^/fhir/") then
        ours(args[1])
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
        local tmp = all[1]:get("tmp")
        local start = next_of(tmp)
        local f = io.open(tmp .. "/ours.next", "w")
        f:write(string.format("%d\n", start + 2 * most))
        f:close()
    end
    dofile(harness .. "/load/report.lua")(summary, latency)
end
