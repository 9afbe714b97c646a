/* Reaches note_key_read, note_open, checkpoint_read and history_line_read: nothing that was not signed opens. */
#include "gateway/audit/note.h"
#include "gateway/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char KEY[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n), text;
    struct note_key k, ours;
    struct tree_head h;
    uint64_t ms;
    struct buf b;
    if (note_key_read(in, &k)) {
        buf_init(&b, NOTE_KEY_LINE_MAX);
        note_key_write(&k, &b);
        MUST(slice_starts(buf_slice(&b), slice_of(in.p, in.p[in.n - 1] == '\n' ? in.n - 1 : in.n)));
        buf_done(&b);
    }
    static struct note_keys all, again; /* large */
    if (note_keys_read(in, &all)) { /* what is read is written so that it reads the same */
        struct buf list;
        buf_init(&list, NOTE_KEYS_TEXT_MAX);
        note_keys_write(&all.key[0], &list);
        MUST(err_ok(buf_check(&list)) && note_keys_read(buf_slice(&list), &again) && again.n == all.n);
        for (size_t i = 0; i < all.n; i++)
            MUST(again.key[i].id == all.key[i].id && again.key[i].until == all.key[i].until && (all.key[i].until == 0) == (i == 0));
        buf_done(&list);
    }
    MUST(note_key_read(slice_str(KEY), &ours));
    if (note_open(in, &ours, &text) == NOTE_GOOD) /* the one text that was ever signed with it */
        MUST(slice_eq(text, LIT("This is an example message.\n")));
    if (checkpoint_read(in, "o", &h)) {
        buf_init(&b, NOTE_MAX);
        checkpoint_write(&h, "o", &b);
        MUST(slice_starts(in, buf_slice(&b)));
        buf_done(&b);
    }
    MUST(!history_line_read(in, &ours, &h, &ms));
    return 0;
}
