#include "keys/ctl/doctor_files.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway/tls/ends.h"
#include "keys/ctl/finding.h"

enum { DAY_S = 24 * 3600 };

bool doctor_closed(const char *path, bool key)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (key)
            finding("key_missing", say_form("鍵 %s がありません", path), say_form("the key %s is missing", path),
                    say_form("鍵のバックアップから戻す(pmhgw restore --keys、docs/operations.md)。新しい状態なら pmhgw up"),
                    say_form("put it back from the backup of the keys (pmhgw restore --keys, docs/operations.md); in a new state pmhgw up makes it"));
        else
            finding("folder_missing", say_form("%s がありません", path), say_form("%s is missing", path), say_form("pmhgw up を実行"), say_form("run pmhgw up"));
        return false;
    }
    /* Who may pass through a folder still has to know what is in it, and to be let in there. */
    if ((st.st_mode & (S_ISDIR(st.st_mode) ? 066 : 077)) == 0 && (st.st_uid == geteuid() || geteuid() == 0))
        return true;
    finding("mode_open", say_form("%s を他の利用者が読めます(%03o)", path, (unsigned)st.st_mode & 0777), say_form("%s is open to other users (%03o)", path, (unsigned)st.st_mode & 0777),
            say_form("chmod go= %s。漏れたおそれがあれば鍵を替える(docs/operations.md)", path), say_form("chmod go= %s; if it may have been read, rotate the key (docs/operations.md)", path));
    return false;
}

bool doctor_certificate(const char *path, const struct say_text *next_ja, const struct say_text *next_en)
{
    int64_t end = 0;
    const bool good = err_ok(ends_read(path, &end));
    const int64_t left = end - (int64_t)time(NULL);
    const enum ends_stage stage = ends_stage(left);
    const int days = (int)(left / DAY_S);
    if (!good)
        finding("certificate_unreadable", say_form("証明書を読めません: %s", path), say_form("the certificate cannot be read: %s", path), *next_ja, *next_en);
    else if (stage == ENDS_OVER)
        finding("certificate_expired", say_form("期限切れの証明書: %s", path), say_form("expired certificate: %s", path), *next_ja, *next_en);
    else if (stage != ENDS_LATER)
        finding("certificate_ends_soon", say_form("証明書はあと %d 日: %s", days, path), say_form("%d days left: %s", days, path), *next_ja, *next_en);
    return good && stage != ENDS_OVER;
}
