#include "gateway/box/box.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "gateway/base/must.h"
#include "gateway/box/filter.h"

struct err box_early(void)
{
    struct rlimit none = { 0, 0 };
    umask(077);
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return FAIL(E_IO);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        return FAIL(E_IO);
    if (fd != STDIN_FILENO)
        close(fd);
    return OK;
}

/* The group gets the same number: a look at the user database would be a name lookup in the process that holds keys. */
static struct err become(uint32_t uid)
{
    if (uid == 0 || geteuid() == uid)
        return OK;
    if (geteuid() != 0)
        return FAIL(E_CONFIG);
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return FAIL(E_IO);
    MUST(setuid(0) != 0);
    /* A change of user makes the process dumpable again. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? OK : FAIL(E_IO);
}

static void no_work(uv_work_t *w) { (void)w; }
static void no_after(uv_work_t *w, int status) { (void)w, (void)status; }

/* libuv starts all its workers with the first piece of work. */
static struct err workers_start(void)
{
    uv_loop_t loop;
    uv_work_t work;
    if (uv_loop_init(&loop) != 0)
        return FAIL(E_NOMEM);
    int status = uv_queue_work(&loop, &work, no_work, no_after);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&loop) == 0);
    return status == 0 ? OK : FAIL(E_NOMEM);
}

struct err box_enter(enum box_role role, uint32_t uid)
{
    MUST((unsigned)role < BOX__MAX);
    TRY(become(uid));
    TRY(workers_start());
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return FAIL(E_IO);
#ifdef PMHGW_SANITIZED
    return OK; /* the sanitizers' own calls are not on the lists */
#else
    return filter_load(role);
#endif
}
