#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "keys/ctl/leaks.h"

enum { BLOCK = 1 << 20, PAGES = 512 /* asked for at once */ };
#define PAGE_THERE (UINT64_C(3) << 62) /* of /proc/<pid>/pagemap: in memory, or swapped out */

struct scan { struct nz_leaks *l; struct nz_place *place; uint64_t base; };

static void on_hit(void *arg, size_t at, size_t kind, size_t number)
{
    struct scan *s = arg;
    struct nz_leaks *l = s->l;
    s->place->hits++;
    l->kinds[kind] = 1;
    if (l->hits < LEAKS_SHOWN_MAX)
        l->found[l->hits] = (struct nz_found){ (size_t)(s->place - l->place), kind, number, s->base + at };
    l->hits++;
}

static struct nz_place *place_add(struct nz_leaks *l, const char *name)
{
    /* With more places than rows the last row takes the rest together. */
    bool full = l->n_places == LEAKS_PLACES_MAX;
    struct nz_place *p = &l->place[full ? LEAKS_PLACES_MAX - 1 : l->n_places++];
    if (!full)
        snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

/* from..to of a descriptor, in blocks that overlap by the longest pattern. false when a block cannot be read. */
static bool scan_fd(struct nz_leaks *l, struct nz_place *place, int fd, uint64_t from, uint64_t to, uint8_t *block)
{
    struct scan s = { l, place, from };
    size_t kept = 0;
    for (;;) {
        size_t want = BLOCK - kept;
        if (to - s.base - kept < want)
            want = (size_t)(to - s.base - kept);
        ssize_t n = want ? pread(fd, block + kept, want, (off_t)(s.base + kept)) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        size_t have = kept + (size_t)n;
        size_t own = n == 0 || have < NZ_PATTERN_MAX ? have : have - NZ_PATTERN_MAX;
        if (n > 0 && have < NZ_PATTERN_MAX)
            own = 0;
        nz_search_run(l->search, slice_of(block, have), own, on_hit, &s);
        place->bytes += own;
        if (n == 0)
            return true;
        memmove(block, block + own, have - own);
        kept = have - own;
        s.base += own;
    }
}

static bool file_scan(struct nz_leaks *l, const char *path)
{
    uint8_t *block = malloc(BLOCK);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct nz_place *place = place_add(l, path);
    bool good = block && fd >= 0 && scan_fd(l, place, fd, 0, UINT64_MAX / 2, block);
    if (!good)
        place->skipped = l->incomplete = true;
    if (fd >= 0)
        close(fd);
    if (block)
        explicit_bzero(block, BLOCK);
    free(block);
    return good;
}

bool nz_leaks_path(struct nz_leaks *l, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        l->incomplete = true;
        return false;
    }
    if (S_ISREG(st.st_mode))
        return file_scan(l, path);
    if (!S_ISDIR(st.st_mode))
        return true; /* sockets, links */
    DIR *d = opendir(path);
    bool good = d != NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        char sub[PATH_MAX];
        if (e->d_name[0] == '.' && (e->d_name[1] == '\0' || (e->d_name[1] == '.' && e->d_name[2] == '\0')))
            continue;
        /* The name counts too: a file may be named by what must not be known. */
        if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) < (int)sizeof sub) {
            struct scan s = { l, place_add(l, path), 0 };
            nz_search_run(l->search, slice_str(e->d_name), strlen(e->d_name), on_hit, &s);
            if (!s.place->hits && l->n_places < LEAKS_PLACES_MAX)
                l->n_places--;
            good = nz_leaks_path(l, sub) && good;
        }
    }
    if (d)
        closedir(d);
    else
        l->incomplete = true;
    return good;
}

/* ---- memory ---- */

struct memory { struct nz_leaks *l; struct nz_place *place; int fd, pages; uint64_t page; uint8_t *block; };

/* A number may begin behind the page before, or end on the page after. */
static void scan_run(struct memory *m, uint64_t lowest, uint64_t from, uint64_t to, uint64_t highest)
{
    from = from - lowest > NZ_PATTERN_MAX ? from - NZ_PATTERN_MAX : lowest;
    to = highest - to > NZ_PATTERN_MAX ? to + NZ_PATTERN_MAX : highest;
    (void)scan_fd(m->l, m->place, m->fd, from, to, m->block);
}

/* Of a mapping of its own: the pages that are there. The others were never touched, so that they are zeros, or are as the file behind them is. Where the kernel does not tell: all. */
static void scan_mapping(struct memory *m, uint64_t from, uint64_t to)
{
    uint64_t page[PAGES], run = to, at = from;
    ssize_t n = 1;
    while (at < to && n > 0) {
        const size_t want = (to - at) / m->page < PAGES ? (size_t)((to - at) / m->page) : PAGES;
        n = pread(m->pages, page, want * sizeof *page, (off_t)(at / m->page * sizeof *page)) / (ssize_t)sizeof *page;
        for (ssize_t i = 0; i < n; i++, at += m->page) {
            const bool there = page[i] & PAGE_THERE;
            if (there && run == to)
                run = at;
            if (there || run == to)
                continue;
            scan_run(m, from, run, at, to);
            run = to;
        }
    }
    if (run < to || at < to)
        scan_run(m, from, run < at ? run : at, to, to);
}

static void memory_open(struct memory *m, int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    m->fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
    m->pages = open(path, O_RDONLY | O_CLOEXEC);
    m->page = (uint64_t)sysconf(_SC_PAGESIZE);
    m->block = malloc(BLOCK);
}

static void memory_close(struct memory *m)
{
    if (m->fd >= 0)
        close(m->fd);
    if (m->pages >= 0)
        close(m->pages);
    if (m->block)
        explicit_bzero(m->block, BLOCK);
    free(m->block);
}

static bool memory_scan(struct nz_leaks *l, int pid, const char *name)
{
    char path[64], line[512], label[96];
    struct memory m = { .l = l };
    snprintf(label, sizeof label, "memory of %s (%d)", name, pid);
    m.place = place_add(l, label);
    memory_open(&m, pid);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    while (m.block && m.fd >= 0 && maps && fgets(line, sizeof line, maps)) {
        unsigned long long from, to;
        char mode[5];
        /* What the kernel maps for itself cannot be read and holds nothing of the process. */
        if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) != 3 || mode[0] != 'r' || strstr(line, "[v"))
            continue;
        if (mode[3] == 's') /* others write to it as well */
            scan_run(&m, from, from, to, to);
        else
            scan_mapping(&m, from, to);
    }
    if (maps)
        fclose(maps);
    memory_close(&m);
    const bool good = m.place->bytes > 0;
    if (!good)
        m.place->skipped = l->incomplete = true;
    return good;
}

static int parent_of(int pid)
{
    char path[64], line[128];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "PPid: %d", &parent) == 1)
            break;
    if (f)
        fclose(f);
    return parent;
}

bool nz_leaks_process(struct nz_leaks *l, int pid, const char *name)
{
    bool good = memory_scan(l, pid, name);
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        uint64_t child;
        if (u64_parse(slice_str(e->d_name), &child) && parent_of((int)child) == pid)
            good = memory_scan(l, (int)child, name) && good;
    }
    if (d)
        closedir(d);
    return good;
}
